//! Guidance in two steps, by three lists of conditions, as in editing by instructions.
//!
//! Source: T. Brooks, A. Holynski, A. Efros, "`InstructPix2Pix`: learning to follow image editing instructions" (2023),
//! equation 3.

use super::{Guidance, Moment, Predictions, Role, is_one};
use crate::Result;
use crate::sampling::{Conditioning, Guided};

/// From a negative prediction over a middle one towards a positive one.
#[derive(Clone, Debug)]
pub struct Dual {
    /// What the picture is to show.
    pub positive: Vec<Conditioning>,
    /// What stands between.
    pub middle: Vec<Conditioning>,
    /// What it is not to show.
    pub negative: Vec<Conditioning>,
    /// How far to go from the middle towards the positive prediction.
    pub scale: f64,
    /// How far to go from the negative one.
    pub negative_scale: f64,
    /// Whether the second scale stretches the result of the first, rather than the way from the negative to the middle one.
    pub is_nested: bool,
}

const POSITIVE: usize = 0;
const MIDDLE: usize = 1;
const NEGATIVE: usize = 2;

impl Guidance for Dual {
    fn lists(&self) -> Vec<(Role, &[Conditioning])> {
        vec![
            (Role::Positive, &self.positive),
            (Role::Negative, &self.middle),
            (Role::Negative, &self.negative),
        ]
    }

    fn guide(&self, moment: &Moment<'_>, needs_negative: bool) -> Result<Guided> {
        if self.is_nested {
            let [negative, middle, positive] =
                moment.predict([Some(NEGATIVE), Some(MIDDLE), Some(POSITIVE)])?;
            let guided = moment.join(Predictions {
                positive,
                negative: middle,
                lists: [Some(POSITIVE), Some(MIDDLE)],
                scale: self.scale,
            })?;
            let x0 = negative.clone() + (guided.x0 - negative).mul_scalar(self.negative_scale);
            return Ok(Guided { x0, ..guided });
        }
        // Predictions of which nothing would be left are not made.
        let skips_negative = is_one(self.negative_scale) && !needs_negative;
        let skips_middle = skips_negative && is_one(self.scale);
        let negative_list = Some(NEGATIVE).filter(|_| !skips_negative);
        let middle_list = Some(MIDDLE).filter(|_| !skips_middle);
        let [negative, middle, positive] =
            moment.predict([negative_list, middle_list, Some(POSITIVE)])?;
        let guided = moment.join(Predictions {
            positive: middle.clone(),
            negative,
            lists: [middle_list, negative_list],
            scale: self.negative_scale,
        })?;
        let x0 = guided.x0 + (positive - middle).mul_scalar(self.scale);
        Ok(Guided { x0, ..guided })
    }
}
