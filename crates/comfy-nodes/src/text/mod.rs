//! Texts as Python treats them.

pub mod case;
pub mod regex;
