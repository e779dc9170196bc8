"""One profile from the image's build to the container's start: what is judged when.

Where an image is built there is neither the machine that it will run on nor its devices. What depends on them is
deferred by name into a file in the image, and judged where a container starts.
"""
