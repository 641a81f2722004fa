"""Models that the lessons use or compare with, their sizes, pre-trained ones, and looking inside."""
