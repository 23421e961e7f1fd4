"""Labels of a project's own for the frames of videos: a small temporal network on frozen features.

A network that exists already looks at each frame, and what its trunk makes of it are the features;
its weights stay as they are. A small recurrent network, which is trained from annotations, tells
from the features of some frames in a row which labels hold on each of them.
"""
