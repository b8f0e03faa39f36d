//! Turns measured counts into [`Work`](crate::units::Work).
