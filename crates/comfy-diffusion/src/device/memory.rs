//! How much memory of a device models may take.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Graphics drivers and other programs want some of a card's memory too; on Windows they share it more freely.
const RESERVED: u64 = if cfg!(windows) { 600 << 20 } else { 400 << 20 };

/// What a computation takes beside the weights at least: 0.8 GiB.
const WORK: u64 = (8 << 30) / 10;

/// However much is reserved, this much is used.
const LEAST: u64 = 128 << 20;

/// When models leave the memory of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keeping {
    /// When another one needs the room.
    #[default]
    UntilRoomIsNeeded,
    /// When another one is loaded.
    OneModel,
    /// When another one is loaded; and of large networks no part stays longer than it is used.
    NoParts,
    /// Only when they are told to.
    Everything,
}

/// What a user says about memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryRequest {
    /// The bytes that models may take together. If it is not said, what the device has; half of the machine's memory on a processor, on
    /// a card that shares it, and on one that does not tell.
    pub budget: Option<u64>,
    /// The bytes of the device that are left for others, where the budget is not said.
    pub reserve: Option<u64>,
    /// When models leave.
    pub keeping: Keeping,
}

/// The rules that the models on a device keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The bytes that they may take together.
    pub budget: u64,
    /// Whether somebody chose the budget.
    pub is_chosen: bool,
    /// When they leave.
    pub keeping: Keeping,
}

impl MemoryPlan {
    /// Everything stays.
    pub const UNLIMITED: Self = Self {
        budget: u64::MAX,
        is_chosen: false,
        keeping: Keeping::Everything,
    };

    /// The plan for a device with `own` bytes of memory, if it has memory of its own and tells.
    pub(super) fn new(request: MemoryRequest, own: Option<u64>) -> Self {
        let reserve = request.reserve.unwrap_or(RESERVED);
        let usual = || {
            if let Some(bytes) = own {
                bytes.saturating_sub(reserve.saturating_add(WORK))
            } else {
                let machine = MachineMemory::measure().total;
                let left = machine.saturating_sub(request.reserve.unwrap_or(0));
                left.min(machine / 2)
            }
        };
        let budget = match (request.keeping, request.budget) {
            (Keeping::Everything, _) => u64::MAX,
            (_, Some(bytes)) => bytes,
            (_, None) => usual().max(LEAST),
        };
        Self {
            budget,
            is_chosen: request.budget == Some(budget),
            keeping: request.keeping,
        }
    }
}

/// The main memory that this program may use, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineMemory {
    /// All of it.
    pub total: u64,
    /// What is free or can be freed.
    pub available: u64,
}

impl MachineMemory {
    /// Asks the system, and the group of processes that this one belongs to.
    pub fn measure() -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let (mut total, mut available) = (system.total_memory(), system.available_memory());
        if let Some(group) = system.cgroup_limits() {
            total = total.min(group.total_memory);
            available = available.min(group.free_memory);
        }
        Self { total, available }
    }
}

/// Memory that a computation takes while it runs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// At its peak.
    pub total: u64,
    /// The largest tensor.
    pub largest: u64,
}

/// An amount of memory as people write it: `6G`, `512M`, `1.5 GiB`, or a number of bytes. All units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        /// More than any machine has.
        const MOST: f64 = (1_u64 << 60) as f64;
        let wrong = || {
            Error::input(format!(
                "expected an amount of memory above 0 such as 6G, 512M or a number of bytes, got `{text}`"
            ))
        };
        let trimmed = text.trim();
        let digits = trimmed
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let unit = unit.trim().to_ascii_uppercase();
        let power = match unit.trim_end_matches('B').trim_end_matches('I') {
            "" if !unit.starts_with('I') => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let bytes = number * f64::from(power).exp2();
        if (1.0..=MOST).contains(&bytes) {
            Ok(Self(bytes as u64))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [
            (1 << 40, "T"),
            (1 << 30, "G"),
            (1 << 20, "M"),
            (1 << 10, "K"),
        ];
        match UNITS.iter().find(|(size, _)| self.0 >= *size) {
            None => write!(formatter, "{}", self.0),
            Some((size, unit)) => {
                let number = format!("{:.1}", self.0 as f64 / *size as f64);
                write!(formatter, "{}{unit}", number.trim_end_matches(".0"))
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("1", 1),
            ("4096", 4096),
            ("512M", 512 << 20),
            ("6G", 6 << 30),
            ("6 gib", 6 << 30),
            ("1.5GB", 3 << 29),
            ("2k", 2048),
            ("1T", 1 << 40),
            ("10B", 10),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().0, bytes, "{text}");
        }
        for wrong in [
            "", "0", "0G", "-1", "-6G", "G", "nan", "inf", "6X", "6 G 7", "much", "1e3", "1..5",
            "5I", "2000000T",
        ] {
            let error = wrong.parse::<ByteSize>().unwrap_err().to_string();
            assert!(
                error.contains("such as 6G") && error.contains(&format!("`{wrong}`")),
                "{error}"
            );
        }
        for text in ["6G", "512M", "1.5G", "12"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_budget_is_what_was_said_or_what_there_is() {
        let budget = |request, own| MemoryPlan::new(request, own).budget;
        let usual = MemoryRequest::default();
        let half = MachineMemory::measure().total / 2;
        assert_eq!(budget(usual, None), half.max(LEAST));
        assert_eq!(budget(usual, Some(8 << 30)), (8 << 30) - RESERVED - WORK);
        let reserve = |bytes| MemoryRequest {
            reserve: Some(bytes),
            ..usual
        };
        assert_eq!(budget(reserve(2 << 30), Some(8 << 30)), (6 << 30) - WORK);
        assert_eq!(budget(reserve(u64::MAX), Some(8 << 30)), LEAST);
        assert_eq!(budget(reserve(u64::MAX), None), LEAST);
        let chosen = MemoryRequest {
            budget: Some(5),
            reserve: Some(7),
            keeping: Keeping::NoParts,
        };
        assert_eq!(budget(chosen, Some(8 << 30)), 5);
        let everything = MemoryRequest {
            keeping: Keeping::Everything,
            ..usual
        };
        assert_eq!(budget(everything, Some(8 << 30)), u64::MAX);
    }
}
