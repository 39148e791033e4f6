//! Registry checkpoints (Q174070).
