//! The node classes of ComfyUI's execution tests.
//!
//! ComfyUI tests its executor with nodes that do everything a node may do: lazy and undeclared inputs, lists, blockers, loops that expand
//! while they run, checks and fingerprints of their own, waiting at the same time. Here they are written against the node API of
//! [`comfy_graph`], which they prove to be enough; their behaviour is ComfyUI's, so that its tests run against this server.
//!
//! `comfy-server` links them with its feature `testing-nodes`.

mod blending;
mod expanding;
mod flow;
mod lists;
mod logic;
mod numbers;
mod pictures;
mod stubs;
mod validation;
mod variants;
mod waiting;

use comfy_graph::{NodeRegistry, RegistryError};

pub use blending::{
    AsyncLazyCheck, CustomIsChanged, IsChangedWithConstants, LazyMixImages,
    OutputNodeWithSocketOutput, VariadicAverage,
};
pub use expanding::{
    DynamicAsyncGeneration, DynamicDependencyCycle, MixedExpansionReturns, ParallelSleep,
    SamplingInExpansion,
};
pub use flow::{
    AfterFor, AfterWhile, CountedRound, ExecutionBlocker, FlowControl, ForLoopClose, ForLoopOpen,
    Passed, Round, WhileLoopClose, WhileLoopOpen,
};
pub use lists::{
    Accumulate, Accumulation, AccumulationGetItem, AccumulationGetLength, AccumulationHead,
    AccumulationSetItem, AccumulationTail, AccumulationToList, ListToAccumulation, MadeList,
    MakeList,
};
pub use logic::{
    BoolOperation, Comparison, FloatConditions, IntConditions, IntMathOperation, Junction,
    Operation, StringConditions, TextComparison, ToBool,
};
pub use numbers::{Bound, Whole};
pub use stubs::{Content, StubConstantImage, StubFloat, StubImage, StubInt, StubMask};
pub use validation::{
    AsyncValidation, AsyncValidationError, CustomValidation1, CustomValidation2, CustomValidation3,
    CustomValidation4, CustomValidation5, Factor,
};
pub use waiting::{
    AsyncBatchProcessing, AsyncConcurrentLimit, AsyncError, AsyncProgressUpdate, AsyncResourceUser,
    AsyncTimeout, Sleep, SyncError, SyncProgressUpdate,
};

/// The module that ComfyUI names for these classes.
const MODULE: &str = "custom_nodes.testing-pack";

/// Registers all classes, in ComfyUI's order.
pub fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<LazyMixImages>()?
        .register::<VariadicAverage>()?
        .register::<CustomIsChanged>()?
        .register::<IsChangedWithConstants>()?
        .register::<CustomValidation1>()?
        .register::<CustomValidation2>()?
        .register::<CustomValidation3>()?
        .register::<CustomValidation4>()?
        .register::<CustomValidation5>()?
        .register::<DynamicDependencyCycle>()?
        .register::<MixedExpansionReturns>()?
        .register::<SamplingInExpansion>()?
        .register::<Sleep>()?
        .register::<ParallelSleep>()?
        .register::<OutputNodeWithSocketOutput>()?
        .register::<WhileLoopOpen>()?
        .register::<WhileLoopClose>()?
        .register::<ExecutionBlocker>()?
        .register::<Accumulate>()?
        .register::<AccumulationHead>()?
        .register::<AccumulationTail>()?
        .register::<AccumulationToList>()?
        .register::<ListToAccumulation>()?
        .register::<AccumulationGetLength>()?
        .register::<AccumulationGetItem>()?
        .register::<AccumulationSetItem>()?
        .register::<ForLoopOpen>()?
        .register::<ForLoopClose>()?
        .register::<IntMathOperation>()?
        .register::<MakeList>()?
        .register::<IntConditions>()?
        .register::<FloatConditions>()?
        .register::<StringConditions>()?
        .register::<ToBool>()?
        .register::<BoolOperation>()?
        .register::<StubImage>()?
        .register::<StubConstantImage>()?
        .register::<StubMask>()?
        .register::<StubInt>()?
        .register::<StubFloat>()?
        .register::<AsyncValidation>()?
        .register::<AsyncError>()?
        .register::<AsyncValidationError>()?
        .register::<AsyncTimeout>()?
        .register::<SyncError>()?
        .register::<AsyncLazyCheck>()?
        .register::<DynamicAsyncGeneration>()?
        .register::<AsyncResourceUser>()?
        .register::<AsyncBatchProcessing>()?
        .register::<AsyncConcurrentLimit>()?
        .register::<AsyncProgressUpdate>()?
        .register::<SyncProgressUpdate>()?;
    Ok(())
}
