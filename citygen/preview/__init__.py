"""Pictures of a city, drawn without a screen: `scene` draws one, `palette` tints it, `sheet` lays several out."""
