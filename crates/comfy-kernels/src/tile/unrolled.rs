//! The body of a tile, written out row by row.

/// Adds up the products of two panels in registers and puts them in their place.
///
/// Every sum is a variable of its own: compilers keep arrays of them in memory. `$sums` lists the rows with two names each.
macro_rules! unrolled {
    (
        panels: $left:ident, $right:ident;
        result: $result:ident, $row_stride:ident, $add:ident;
        zero: $zero:expr; broadcast: $broadcast:ident; multiply: $multiply:ident;
        load: $load:ident; sum: $sum:ident; load_sum: $load_sum:ident; store: $store:ident;
        sums: $($row:literal $one:ident $two:ident),+
    ) => {{
        $(let (mut $one, mut $two) = ($zero, $zero);)+
        for (left, [one, two]) in $left.iter().zip($right) {
            let (one, two) = ($load(one), $load(two));
            $(
                let value = $broadcast(left[$row]);
                $one = $multiply($one, value, one);
                $two = $multiply($two, value, two);
            )+
        }
        $(
            let (places, _) = $result[$row * $row_stride..][..LANES].as_chunks_mut::<{ LANES / 2 }>();
            let [one, two] = places else {
                unreachable!("a row of a tile is two registers")
            };
            if $add {
                $one = $sum($one, $load_sum(one));
                $two = $sum($two, $load_sum(two));
            }
            $store(one, $one);
            $store(two, $two);
        )+
    }};
}

pub(super) use unrolled;
