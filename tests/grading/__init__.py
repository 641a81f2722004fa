"""The sandbox, attacks, damaged hand-ins, and the grades that come out."""
