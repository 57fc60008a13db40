//! The names that a pickle of weights may use. None of them does anything.

use safetensors::Dtype;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// An ordered dictionary.
    Dictionary,
    /// Makes a tensor of a storage, an offset, a shape and strides.
    Tensor,
    /// The same, with the element type in the seventh place.
    TypedTensor,
    /// Gives its first argument, a tensor.
    Parameter,
    /// The type of a storage, or of an element.
    Element(Element),
    /// A storage of bytes, whose elements' type the tensor tells.
    Bytes,
    /// Something that holds no weights, and is passed over with all that belongs to it.
    Ignored,
}

/// The type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element(Dtype);

impl Element {
    pub(super) const BYTE: Self = Self(Dtype::U8);

    pub(super) fn dtype(self) -> Dtype {
        self.0
    }

    /// Bytes of one number.
    pub(super) fn bytes(self) -> usize {
        (self.0.bitsize() / 8).max(1)
    }
}

const NAMES: [(&str, &str, Known); 45] = [
    ("collections", "OrderedDict", Known::Dictionary),
    ("torch._utils", "_rebuild_tensor", Known::Tensor),
    ("torch._utils", "_rebuild_tensor_v2", Known::Tensor),
    ("torch._utils", "_rebuild_tensor_v3", Known::TypedTensor),
    ("torch._utils", "_rebuild_parameter", Known::Parameter),
    (
        "torch._utils",
        "_rebuild_parameter_with_state",
        Known::Parameter,
    ),
    ("torch", "FloatStorage", element(Dtype::F32)),
    ("torch", "DoubleStorage", element(Dtype::F64)),
    ("torch", "HalfStorage", element(Dtype::F16)),
    ("torch", "BFloat16Storage", element(Dtype::BF16)),
    ("torch", "LongStorage", element(Dtype::I64)),
    ("torch", "IntStorage", element(Dtype::I32)),
    ("torch", "ShortStorage", element(Dtype::I16)),
    ("torch", "CharStorage", element(Dtype::I8)),
    ("torch", "ByteStorage", element(Dtype::U8)),
    ("torch", "BoolStorage", element(Dtype::BOOL)),
    ("torch", "UntypedStorage", Known::Bytes),
    ("torch.storage", "UntypedStorage", Known::Bytes),
    ("torch", "float32", element(Dtype::F32)),
    ("torch", "float64", element(Dtype::F64)),
    ("torch", "float16", element(Dtype::F16)),
    ("torch", "bfloat16", element(Dtype::BF16)),
    ("torch", "float8_e4m3fn", element(Dtype::F8_E4M3)),
    ("torch", "float8_e5m2", element(Dtype::F8_E5M2)),
    ("torch", "int64", element(Dtype::I64)),
    ("torch", "int32", element(Dtype::I32)),
    ("torch", "int16", element(Dtype::I16)),
    ("torch", "int8", element(Dtype::I8)),
    ("torch", "uint8", element(Dtype::U8)),
    ("torch", "bool", element(Dtype::BOOL)),
    ("torch", "Size", Known::Ignored),
    ("torch", "device", Known::Ignored),
    ("torch.serialization", "_get_layout", Known::Ignored),
    ("torch.nn.parameter", "Parameter", Known::Parameter),
    // What training programs leave beside the weights.
    (
        "pytorch_lightning.callbacks.model_checkpoint",
        "ModelCheckpoint",
        Known::Ignored,
    ),
    ("numpy.core.multiarray", "scalar", Known::Ignored),
    ("numpy._core.multiarray", "scalar", Known::Ignored),
    ("numpy", "dtype", Known::Ignored),
    ("numpy.dtypes", "Float32DType", Known::Ignored),
    ("numpy.dtypes", "Float64DType", Known::Ignored),
    ("numpy.dtypes", "Int64DType", Known::Ignored),
    ("_codecs", "encode", Known::Ignored),
    ("__builtin__", "set", Known::Ignored),
    ("builtins", "set", Known::Ignored),
    ("collections", "Counter", Known::Ignored),
];

const fn element(kind: Dtype) -> Known {
    Known::Element(Element(kind))
}

impl Known {
    /// What `module.name` stands for, if it may be used.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|entry| (entry.0, entry.1) == (module, name))
            .map(|entry| entry.2)
    }
}
