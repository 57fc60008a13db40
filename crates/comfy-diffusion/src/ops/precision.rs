//! How exactly networks are computed, and tensors of one element type among those of another.

use burn::tensor::{DType, Tensor};

/// How exactly a network is computed. Sums are kept in `f32` in any case, and so are the statistics of norms and the softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Values and weights are `f32`.
    #[default]
    Single,
    /// Values and weights are `f16`, half the memory: for graphics cards, most of which multiply those several times as fast.
    Half,
    /// Factors are rounded to `bf16` as they are multiplied, values stay `f32`: for processors with instructions for that.
    Brain,
}

impl Precision {
    /// What our own kernels on the processor multiply with.
    pub(super) fn of_host_kernels(self) -> comfy_kernels::Precision {
        match self {
            Self::Single | Self::Half => comfy_kernels::Precision::Single,
            Self::Brain => comfy_kernels::Precision::Brain,
        }
    }
}

/// Tensors that can be had in another element type. Where they have it already nothing is done.
pub(crate) trait InElement: Sized {
    /// The element type.
    fn element(&self) -> DType;

    /// The same values in another element type of floats.
    fn in_element(self, element: DType) -> Self;
}

impl<const D: usize> InElement for Tensor<D> {
    fn element(&self) -> DType {
        self.dtype()
    }

    fn in_element(self, element: DType) -> Self {
        if self.dtype() == element {
            self
        } else {
            self.cast(element)
        }
    }
}

impl<A: InElement, B: InElement> InElement for (A, B) {
    fn element(&self) -> DType {
        self.0.element()
    }

    fn in_element(self, element: DType) -> Self {
        (self.0.in_element(element), self.1.in_element(element))
    }
}

/// Computes with a value in `element` and gives the result in the element type that the value had.
pub(crate) fn within<T: InElement, R: InElement>(
    element: DType,
    value: T,
    compute: impl FnOnce(T) -> R,
) -> R {
    let own = value.element();
    compute(value.in_element(element)).in_element(own)
}
