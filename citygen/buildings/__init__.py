"""Raw outlines to clean ones, or to a rejection with its reason; outlines against their building parts."""
