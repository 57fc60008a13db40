//! Residuals: weighed, added up, and brought into the network that is steered.

use burn::tensor::Tensor;

use super::Control;
use crate::Result;
use crate::models::control::Residuals;
use crate::models::hooks::{NetworkHook, Part, Site};

type List = Vec<Option<Tensor<4>>>;

/// Residuals as strongly as a control counts.
pub(super) fn weighed(residuals: Residuals, control: &Control) -> Residuals {
    let weigh = |list: List, is_last_first: bool| {
        let count = list.len();
        let weighed = list.into_iter().enumerate().map(|(index, residual)| {
            let residual = residual?;
            let residual = if control.net.is_averaged {
                let shape = residual.dims();
                residual.mean_dim(2).mean_dim(3).expand(shape)
            } else {
                residual
            };
            let from_end = if is_last_first {
                index + 1
            } else {
                count - index
            };
            let factor = control.net.fading.factor(control.strength, from_end);
            Some(residual.mul_scalar(factor))
        });
        weighed.collect()
    };
    Residuals {
        // The list for the way down is kept from its end, so that its first counts as the last.
        input: weigh(residuals.input, true),
        middle: weigh(residuals.middle, false),
        output: weigh(residuals.output, false),
    }
}

/// The sums of residuals for the same place.
pub(super) fn added(first: Residuals, second: Residuals) -> Residuals {
    let add = |first: List, mut second: List| {
        if second.len() < first.len() {
            second.resize(first.len(), None);
        }
        for (sum, first) in second.iter_mut().zip(first) {
            *sum = match (first, sum.take()) {
                (Some(first), Some(second)) => Some(first + second),
                (first, second) => first.or(second),
            };
        }
        second
    };
    Residuals {
        input: add(first.input, second.input),
        middle: add(first.middle, second.middle),
        output: add(first.output, second.output),
    }
}

/// Adds residuals to a network on its way.
#[derive(Debug)]
pub(in crate::sampling) struct Steered {
    pub(in crate::sampling) residuals: Residuals,
}

impl NetworkHook for Steered {
    fn changes_attention(&self) -> bool {
        false
    }

    fn after_stage(&self, site: &Site<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        let list = match site.place.part {
            Part::Input => &self.residuals.input,
            _ => &self.residuals.middle,
        };
        Ok(steered(x, list.get(site.place.stage), site))
    }

    fn before_join(
        &self,
        site: &Site<'_>,
        x: Tensor<4>,
        skip: Tensor<4>,
    ) -> Result<(Tensor<4>, Tensor<4>)> {
        let list = &self.residuals.output;
        let index = list.len().checked_sub(site.place.stage + 1);
        let residual = index.and_then(|index| list.get(index));
        Ok((x, steered(skip, residual, site)))
    }
}

/// x with a residual, if there is one. One of another size is for another family of networks and is left out.
fn steered(x: Tensor<4>, residual: Option<&Option<Tensor<4>>>, site: &Site<'_>) -> Tensor<4> {
    let Some(residual) = residual.and_then(Option::as_ref) else {
        return x;
    };
    let (own, found) = (x.dims(), residual.dims());
    let fits = own
        .iter()
        .zip(&found)
        .all(|(own, found)| own == found || *found == 1);
    if !fits {
        tracing::warn!(
            place = ?site.place,
            "what a control net adds is left out: its shape is {found:?} where the network has {own:?}"
        );
        return x;
    }
    x + residual.clone()
}
