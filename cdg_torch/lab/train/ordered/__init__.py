"""Networks whose outputs have an order: metrics on a layer, controls, rivals."""
