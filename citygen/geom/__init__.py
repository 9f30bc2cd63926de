"""Arrays in, arrays out, no words of the domain: rings, cuts, triangles, prisms, places on Earth, tolerances."""
