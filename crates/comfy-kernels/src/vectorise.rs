//! Loops for the widest instructions that the processor has.

/// Defines functions that are compiled for several instruction sets, and take the best one that the processor has when called.
///
/// The body is a plain loop over slices, without calls that do not inline, so that the compiler vectorises it. `FUSED` in it says
/// whether multiplying and adding is one instruction, for [`multiply_add`](crate::function::multiply_add).
macro_rules! vectorised {
    ($($(#[$attribute:meta])*
    $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain<const FUSED: bool>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn wide_512($($argument: $type),*) $(-> $result)? {
                    plain::<true>($($argument),*)
                }

                #[target_feature(enable = "avx2,fma")]
                fn wide_256($($argument: $type),*) $(-> $result)? {
                    plain::<true>($($argument),*)
                }

                if std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                {
                    #[expect(unsafe_code, reason = "calling a function for an instruction set asks for a promise that it is there")]
                    // SAFETY: the processor was asked for these instruction sets; all with avx512f have avx2 and fma.
                    return unsafe { wide_512($($argument),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
                {
                    #[expect(unsafe_code, reason = "calling a function for an instruction set asks for a promise that it is there")]
                    // SAFETY: the processor was asked for these instruction sets.
                    return unsafe { wide_256($($argument),*) };
                }
            }
            plain::<{ crate::function::FUSED }>($($argument),*)
        }
    )*};
}

pub(crate) use vectorised;
