"""Files of OpenStreetMap elements (PBF, XML) to rows: what ``citygen.sources.osm`` is made of, loaded when one is opened."""
