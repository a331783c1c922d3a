"""Who says where the landmarks of a face are: Face Mesh, files beside photos, the drawing itself, or one of yours."""
