"""Training: profiles (how large a run is), the loop, schedules, augmentation, the cost of a layer."""
