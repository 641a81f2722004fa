"""What both sides of the attention checks call things."""

WEIGHTS = {
    "W_q": "(num_heads, d_q, proj_dim)",
    "W_k": "(num_heads, d_k, proj_dim)",
    "W_v": "(num_heads, d_v, proj_dim)",
    "W_o": "(num_heads·proj_dim, proj_dim)",
}
