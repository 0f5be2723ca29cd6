"""Action classification of video clips: a frame encoder under recurrent layers."""
