"""What can be watched: videos with their metadata and state, browsing, and the administrators' live view of them."""
