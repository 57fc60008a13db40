//! The kinds of changes: `LoRA` (Hu et al. 2022), `LoHa` and `LoKr` (Yeh et al. 2024, "`LyCORIS`"), `GLoRA` (Chavan et al. 2023), OFT (Qiu et
//! al. 2023) and BOFT (Liu et al. 2024), each with or without the decomposition of `DoRA` (Liu et al. 2024); and plain differences.

use super::butterfly;
use super::matrix::{Array, Misfit, on_the_way};
use crate::error::Result;
use crate::weights::Weights;

/// Endings of tensors that belong to a change.
pub(super) const ENDINGS: [&str; 34] = [
    ".lora_up.weight",
    ".lora_down.weight",
    ".lora_mid.weight",
    "_lora.up.weight",
    "_lora.down.weight",
    ".lora_B.weight",
    ".lora_A.weight",
    ".lora_B.default.weight",
    ".lora_A.default.weight",
    ".lora.up.weight",
    ".lora.down.weight",
    ".lora_linear_layer.up.weight",
    ".lora_linear_layer.down.weight",
    ".lora_B",
    ".lora_A",
    ".hada_w1_a",
    ".hada_w1_b",
    ".lokr_w1",
    ".lokr_w2",
    ".lokr_w1_a",
    ".lokr_w2_a",
    ".a1.weight",
    ".a2.weight",
    ".oft_blocks",
    ".rescale",
    ".diff",
    ".diff_b",
    ".w_norm",
    ".b_norm",
    ".set_weight",
    ".alpha",
    ".dora_scale",
    ".lokr_t2",
    ".hada_t1",
];

/// Names of the two factors of a plain `LoRA`: those of its outputs and of its inputs.
pub(super) const FACTORS: [[&str; 2]; 7] = [
    [".lora_up.weight", ".lora_down.weight"],
    ["_lora.up.weight", "_lora.down.weight"],
    [".lora_B.weight", ".lora_A.weight"],
    [".lora.up.weight", ".lora.down.weight"],
    [".lora_B", ".lora_A"],
    [
        ".lora_linear_layer.up.weight",
        ".lora_linear_layer.down.weight",
    ],
    [".lora_B.default.weight", ".lora_A.default.weight"],
];

/// Added to norms, so that rows of zeros do no harm.
const EPSILON: f32 = f32::EPSILON;

/// One change of one tensor.
#[derive(Debug, Clone)]
pub(super) struct Adapter {
    kind: Kind,
    /// What the difference is multiplied with before its strength.
    scale: f32,
    /// Lengths for the rows or the columns of the result (`DoRA`).
    lengths: Option<Array>,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A difference that does not depend on what is changed.
    Difference(Box<Difference>),
    /// What takes the tensor's place.
    Replacement(Array),
    /// Products with the tensor itself, and a difference: a₁, a₂, b₁, b₂.
    Products(Box<[Array; 4]>),
    /// Rotations of groups of rows.
    Rotations {
        blocks: Array,
        rescale: Option<Array>,
        /// The largest norm of the generator; 0 for no bound.
        bound: f32,
    },
}

#[derive(Debug, Clone)]
enum Difference {
    Whole(Array),
    Product(Product),
    Hadamard(Product, Product),
    Kronecker(Factor, Factor),
}

/// One of two parts of a Kronecker product.
#[derive(Debug, Clone)]
enum Factor {
    Whole(Array),
    Product(Product),
}

/// A product of low rank. It is worked out when it is known how large it must become: a few kilobytes of factors may have a product of
/// any size.
#[derive(Debug, Clone)]
struct Product {
    first: Array,
    second: Array,
    core: Core,
}

/// What stands between the two factors.
#[derive(Debug, Clone)]
enum Core {
    Nothing,
    /// [rank, rank, …] between [outputs, rank] and [rank, inputs].
    Between(Array),
    /// [i, j, …], whose first two dimensions the factors [i, outputs] and [j, inputs] replace (Tucker).
    Replaced(Array),
}

impl Adapter {
    /// The changes that a file has below a name: of `weight`, and of `bias`.
    pub(super) fn read(file: &Weights, base: &str) -> Result<Vec<(&'static str, Self)>> {
        let array = |ending: &str| array(file, base, ending);
        let alpha = array(".alpha")?.and_then(|alpha| alpha.values.first().copied());
        let lengths = array(".dora_scale")?;
        let mut found = Vec::new();
        let mut add = |ending, kind, scale| {
            let lengths = lengths.clone();
            found.push((
                ending,
                Self {
                    kind,
                    scale,
                    lengths,
                },
            ));
        };
        let by_rank = |rank: usize| alpha.map_or(1.0, |alpha| alpha / rank as f32);
        for [up, down] in FACTORS {
            let (Some(up), Some(down)) = (array(up)?, array(down)?) else {
                continue;
            };
            let scale = by_rank(down.dimension(0));
            let product = Product {
                first: up,
                second: down,
                core: array(".lora_mid.weight")?.map_or(Core::Nothing, Core::Between),
            };
            let difference = Difference::Product(product);
            add("weight", Kind::Difference(difference.into()), scale);
            break;
        }
        if let Some((difference, rank)) = hadamard(&array)? {
            add("weight", Kind::Difference(difference.into()), by_rank(rank));
        }
        if let Some((first, second, rank)) = kronecker(&array)? {
            let scale = rank.map_or(1.0, by_rank);
            add(
                "weight",
                Kind::Difference(Difference::Kronecker(first, second).into()),
                scale,
            );
        }
        if let (Some(a1), Some(a2), Some(b1), Some(b2)) = (
            array(".a1.weight")?,
            array(".a2.weight")?,
            array(".b1.weight")?,
            array(".b2.weight")?,
        ) {
            // The rank depends on which of two orders the tensor has room for.
            add(
                "weight",
                Kind::Products(Box::new([a1, a2, b1, b2])),
                alpha.unwrap_or(f32::NAN),
            );
        }
        if let Some(blocks) = array(".oft_blocks")? {
            let rotations = Kind::Rotations {
                blocks,
                rescale: array(".rescale")?,
                bound: alpha.unwrap_or(0.0),
            };
            add("weight", rotations, 1.0);
        }
        for (name, ending) in [
            (".w_norm", "weight"),
            (".b_norm", "bias"),
            (".diff", "weight"),
            (".diff_b", "bias"),
        ] {
            if let Some(whole) = array(name)? {
                add(
                    ending,
                    Kind::Difference(Difference::Whole(whole).into()),
                    1.0,
                );
            }
        }
        if let Some(whole) = array(".set_weight")? {
            add("weight", Kind::Replacement(whole), 1.0);
        }
        Ok(found)
    }

    /// The product of two tensors of a file below a name; nothing if it lacks one.
    pub(super) fn factors(
        file: &Weights,
        base: &str,
        [up, down]: [&str; 2],
    ) -> Result<Option<Self>> {
        let (Some(up), Some(down)) = (array(file, base, up)?, array(file, base, down)?) else {
            return Ok(None);
        };
        let product = Product::of(up, down);
        Ok(Some(Self {
            kind: Kind::Difference(Difference::Product(product).into()),
            scale: 1.0,
            lengths: None,
        }))
    }

    /// Changes the values of a tensor of this shape.
    pub(super) fn apply(
        &self,
        shape: &[usize],
        values: &mut [f32],
        strength: f32,
    ) -> std::result::Result<(), Misfit> {
        let mut scale = self.scale;
        let difference = match &self.kind {
            Kind::Replacement(whole) => {
                if whole.values.len() != values.len() {
                    return Err(format!("{:?} is to replace {shape:?}", whole.shape));
                }
                values.copy_from_slice(&whole.values);
                return Ok(());
            }
            Kind::Difference(difference) => difference.whole(values.len())?,
            Kind::Products(parts) => {
                let weight = Array {
                    shape: shape.to_vec(),
                    values: values.to_vec(),
                };
                let (difference, rank) = products(parts, &weight)?;
                scale = if scale.is_nan() {
                    1.0
                } else {
                    scale / rank as f32
                };
                difference
            }
            Kind::Rotations {
                blocks,
                rescale,
                bound,
            } => {
                let weight = Array {
                    shape: shape.to_vec(),
                    values: values.to_vec(),
                };
                butterfly::difference(blocks, rescale.as_ref(), *bound, strength, &weight)?
            }
        };
        if difference.values.len() != values.len() {
            return Err(format!(
                "{:?} is to be added to {shape:?}",
                difference.shape
            ));
        }
        if let Some(lengths) = &self.lengths {
            decompose(lengths, shape, values, &difference.values, scale, strength)
        } else {
            for (value, change) in values.iter_mut().zip(&difference.values) {
                *value += strength * scale * change;
            }
            Ok(())
        }
    }
}

/// A tensor of a file, if it has it.
fn array(file: &Weights, base: &str, ending: &str) -> Result<Option<Array>> {
    let name = format!("{base}{ending}");
    let Some(shape) = file.shape(&name).map(<[usize]>::to_vec) else {
        return Ok(None);
    };
    let values = file.values(&name)?;
    Ok(Some(Array { shape, values }))
}

impl Difference {
    /// All of it, which must have so many values.
    fn whole(&self, count: usize) -> std::result::Result<Array, Misfit> {
        match self {
            Self::Whole(whole) => Ok(whole.clone()),
            Self::Product(product) => product.whole(count),
            Self::Hadamard(first, second) => first.whole(count)?.multiplied(&second.whole(count)?),
            Self::Kronecker(first, second) => {
                first.whole(count)?.kronecker(&second.whole(count)?, count)
            }
        }
    }
}

impl Factor {
    fn whole(&self, count: usize) -> std::result::Result<Array, Misfit> {
        match self {
            Self::Whole(whole) => Ok(whole.clone()),
            Self::Product(product) => product.whole(count),
        }
    }
}

impl Product {
    fn of(first: Array, second: Array) -> Self {
        Self {
            first,
            second,
            core: Core::Nothing,
        }
    }

    /// The product, which has at most so many values.
    fn whole(&self, count: usize) -> std::result::Result<Array, Misfit> {
        let Self {
            first,
            second,
            core,
        } = self;
        match core {
            Core::Nothing => first.times(second, count),
            Core::Between(core) => {
                // Σₙ core[m, n, …] · second[n, i] as [m, i, …].
                let inner = second
                    .exchanged()
                    .times(&core.exchanged(), on_the_way(count))?;
                first.times(&inner.exchanged(), count)
            }
            Core::Replaced(core) => core.expanded(first, second, count),
        }
    }
}

/// The two low-rank products that `LoHa` multiplies place by place, and their rank.
fn hadamard(array: &dyn Fn(&str) -> Result<Option<Array>>) -> Result<Option<(Difference, usize)>> {
    let (Some(a1), Some(b1), Some(a2), Some(b2)) = (
        array(".hada_w1_a")?,
        array(".hada_w1_b")?,
        array(".hada_w2_a")?,
        array(".hada_w2_b")?,
    ) else {
        return Ok(None);
    };
    let rank = b1.dimension(0);
    let (mut first, mut second) = (Product::of(a1, b1), Product::of(a2, b2));
    if let (Some(t1), Some(t2)) = (array(".hada_t1")?, array(".hada_t2")?) {
        first.core = Core::Replaced(t1);
        second.core = Core::Replaced(t2);
    }
    Ok(Some((Difference::Hadamard(first, second), rank)))
}

/// The two factors of a Kronecker product, and the rank if one of them is itself a product.
fn kronecker(
    array: &dyn Fn(&str) -> Result<Option<Array>>,
) -> Result<Option<(Factor, Factor, Option<usize>)>> {
    let mut rank = None;
    let mut factor = |number: u8| -> Result<Option<Factor>> {
        if let Some(whole) = array(&format!(".lokr_w{number}"))? {
            return Ok(Some(Factor::Whole(whole)));
        }
        let (Some(a), Some(b)) = (
            array(&format!(".lokr_w{number}_a"))?,
            array(&format!(".lokr_w{number}_b"))?,
        ) else {
            return Ok(None);
        };
        rank = Some(b.dimension(0));
        let mut product = Product::of(a, b);
        if number == 2
            && let Some(core) = array(".lokr_t2")?
        {
            product.core = Core::Replaced(core);
        }
        Ok(Some(Factor::Product(product)))
    };
    let (first, second) = (factor(1)?, factor(2)?);
    Ok(first
        .zip(second)
        .map(|(first, second)| (first, second, rank)))
}

/// W·a₁·a₂ + b₁·b₂, or as older files have it W·a₂·a₁ + b₂·b₁; and the rank.
fn products(
    [a1, a2, b1, b2]: &[Array; 4],
    weight: &Array,
) -> std::result::Result<(Array, usize), Misfit> {
    let all = |values: [usize; 4]| values.iter().all(|value| *value == values[0]);
    let is_old = all([
        b2.dimension(1),
        b1.dimension(0),
        a1.dimension(0),
        a2.dimension(1),
    ]);
    let is_new = all([
        b2.dimension(0),
        b1.dimension(1),
        a1.dimension(1),
        a2.dimension(0),
    ]);
    let count = weight.values.len();
    let is_square =
        weight.dimension(0) == weight.dimension(1) && a2.dimension(0) == weight.dimension(0);
    let (product, own) = if is_old && (!is_new || is_square) {
        (b2.times(b1, count)?, weight_times(weight, a2, a1, true)?)
    } else if is_new {
        (b1.times(b2, count)?, weight_times(weight, a1, a2, false)?)
    } else {
        return Err("its four parts do not agree on a rank".to_owned());
    };
    let rank = if is_old && (!is_new || is_square) {
        a1.dimension(0)
    } else {
        a2.dimension(0)
    };
    if product.values.len() != own.values.len() {
        return Err(format!(
            "{:?} is to be added to {:?}",
            product.shape, own.shape
        ));
    }
    let values = product.values.iter().zip(&own.values);
    Ok((
        Array {
            shape: own.shape,
            values: values.map(|(a, b)| a + b).collect(),
        },
        rank,
    ))
}

/// A tensor times two matrices, over all of its inputs or over its input channels alone.
fn weight_times(
    weight: &Array,
    first: &Array,
    second: &Array,
    over_all: bool,
) -> std::result::Result<Array, Misfit> {
    let most = on_the_way(weight.values.len());
    if over_all || weight.shape.len() <= 2 {
        let [rows, columns] = weight.flat();
        let flat = Array {
            shape: vec![rows, columns],
            values: weight.values.clone(),
        };
        return flat.times(first, most)?.times(second, most);
    }
    // Channels first, then all else as columns.
    let channels = weight.exchanged();
    let inner = first.exchanged().times(&channels, most)?;
    let changed = second.exchanged().times(&inner, most)?;
    Ok(changed.exchanged())
}

/// Gives the rows, or the columns, of the changed tensor the lengths that were trained.
fn decompose(
    lengths: &Array,
    shape: &[usize],
    values: &mut [f32],
    difference: &[f32],
    scale: f32,
    strength: f32,
) -> std::result::Result<(), Misfit> {
    let rows = shape.first().copied().unwrap_or(1);
    let columns = shape.get(1).copied().unwrap_or(1);
    let rest = values.len() / (rows * columns).max(1);
    let changed: Vec<f32> = values
        .iter()
        .zip(difference)
        .map(|(value, change)| value + scale * change)
        .collect();
    let by_row = lengths.dimension(0) == rows;
    let count = if by_row { rows } else { columns };
    if lengths.values.len() != count {
        return Err(format!("{:?} are no lengths for {shape:?}", lengths.shape));
    }
    let place = |index: usize| {
        if by_row {
            index / (columns * rest)
        } else {
            index / rest % columns
        }
    };
    // Rows are measured before the change, columns after it, as the networks were trained.
    let measured = if by_row { &*values } else { &changed };
    let mut norms = vec![0.0_f64; count];
    for (index, value) in measured.iter().enumerate() {
        norms[place(index)] += f64::from(*value).powi(2);
    }
    let factors: Vec<f32> = norms
        .iter()
        .zip(&lengths.values)
        .map(|(norm, length)| length / (norm.sqrt() as f32 + EPSILON))
        .collect();
    for (index, (value, changed)) in values.iter_mut().zip(changed).enumerate() {
        *value += strength * (changed * factors[place(index)] - *value);
    }
    Ok(())
}
