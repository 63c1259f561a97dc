"""Pretrained weights: what there is (catalogue), what is here (shelf). Nothing is downloaded unless asked."""
