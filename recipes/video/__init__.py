"""Actions in videos: a convolutional encoder sees each frame, recurrent layers see what happens."""
