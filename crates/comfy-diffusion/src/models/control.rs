//! Networks that steer another network by a picture.

use burn::tensor::Tensor;

use super::NetworkInput;
use crate::error::Result;

/// What is added to a network on its way. What is missing adds nothing.
#[derive(Clone, Debug, Default)]
pub struct Residuals {
    /// For each stage of the way down, from the first: what is added to what it gives to the next stage and to the way up.
    pub input: Vec<Option<Tensor<4>>>,
    /// What is added to the lowest resolution.
    pub middle: Vec<Option<Tensor<4>>>,
    /// For each stage of the way down, from the first: what is added to what it has left for the way up. Counted from the end: the
    /// last one is for the first stage up.
    pub output: Vec<Option<Tensor<4>>>,
}

/// A network that reads a picture and says what another network is to add on its way.
pub trait ControlNetwork: Send + Sync {
    /// Height and width in pixels that a picture must have for a latent of this height and width.
    fn picture_size(&self, latent: [usize; 2]) -> [usize; 2];

    /// What can be computed of pictures `[pictures, channels, height, width]` with values from 0 to 1 before the first step. `task` is
    /// what the pictures show, for networks that are told; they may know it without.
    ///
    /// # Errors
    ///
    /// If the pictures do not fit the network, or it does not know the task.
    fn read(&self, pictures: Tensor<4>, task: Option<usize>) -> Result<Vec<Tensor<4>>>;

    /// What is to be added in one call of the other network, whose `input` it is shown. `read` is what [`ControlNetwork::read`] gave,
    /// with as many rows as the input has, or one for all.
    ///
    /// # Errors
    ///
    /// If the input does not fit the network.
    fn residuals(
        &self,
        read: Vec<Tensor<4>>,
        task: Option<usize>,
        input: NetworkInput,
    ) -> Result<Residuals>;
}
