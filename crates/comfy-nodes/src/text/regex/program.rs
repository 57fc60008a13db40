//! From a tree to the instructions of a machine.

use std::collections::HashMap;

use super::RegexError;
use super::class::{Flags, Set};
use super::parse::{Mode, Parsed, Place, Tree, UNLIMITED};

/// How many instructions a pattern may have. Counted repetitions of groups are written out.
const MOST_INSTRUCTIONS: usize = 200_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Single {
    Literal(char, bool),
    Any(bool),
    Set(Set),
}

impl Single {
    pub(super) fn matches(&self, character: char) -> bool {
        match self {
            Self::Literal(wanted, false) => character == *wanted,
            Self::Literal(wanted, true) => super::class::same_letter(character, *wanted),
            Self::Any(with_line_ends) => *with_line_ends || character != '\n',
            Self::Set(set) => set.contains(character),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Instruction {
    One(Single),
    /// A run of characters of one kind.
    Run {
        single: Single,
        least: u32,
        most: u32,
        mode: Mode,
    },
    At(Place, Flags),
    /// Goes on at the first, and if that fails at the second.
    Split(usize, usize),
    Jump(usize),
    /// Keeps the position in a slot.
    Save(usize),
    /// Goes on at `exit` when nothing was matched since the position in `slot` was kept.
    EndLoop {
        slot: usize,
        exit: usize,
    },
    Same(usize, bool),
    /// The instructions from the next one to `Accept` before `end` are matched by themselves.
    Look {
        end: usize,
        behind: Option<usize>,
        negated: bool,
    },
    Atomic {
        end: usize,
    },
    IfGroup {
        group: usize,
        no: usize,
    },
    Accept,
}

#[derive(Debug)]
pub(super) struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) groups: usize,
    pub(super) names: HashMap<String, usize>,
    /// Two for each group, then one for each loop.
    pub(super) slots: usize,
}

impl Program {
    pub(super) fn compile(parsed: &Parsed) -> Result<Self, RegexError> {
        let mut program = Self {
            instructions: Vec::new(),
            groups: parsed.groups,
            names: parsed.names.clone(),
            slots: 2 * (parsed.groups + 1),
        };
        program.add(&parsed.tree)?;
        program.push(Instruction::Accept)?;
        Ok(program)
    }

    fn push(&mut self, instruction: Instruction) -> Result<usize, RegexError> {
        if self.instructions.len() >= MOST_INSTRUCTIONS {
            return Err(RegexError::syntax(
                "the pattern is too large once its repetitions are written out",
                0,
            ));
        }
        self.instructions.push(instruction);
        Ok(self.instructions.len() - 1)
    }

    fn here(&self) -> usize {
        self.instructions.len()
    }

    fn add(&mut self, tree: &Tree) -> Result<(), RegexError> {
        if let Some(single) = single(tree) {
            return self.push(Instruction::One(single)).map(|_| ());
        }
        match tree {
            Tree::Empty | Tree::Literal(..) | Tree::Any(_) | Tree::Set(_) => {}
            Tree::At(place, flags) => {
                self.push(Instruction::At(*place, *flags))?;
            }
            Tree::Sequence(items) => {
                for item in items {
                    self.add(item)?;
                }
            }
            Tree::Choice(ways) => self.add_choice(ways)?,
            Tree::Repeat {
                tree,
                least,
                most,
                mode,
            } => self.add_repeat(tree, *least, *most, *mode)?,
            Tree::Group(None, tree) => self.add(tree)?,
            Tree::Group(Some(number), tree) => {
                self.push(Instruction::Save(2 * number))?;
                self.add(tree)?;
                self.push(Instruction::Save(2 * number + 1))?;
            }
            Tree::Same(group, flags, _) => {
                self.push(Instruction::Same(*group, flags.ignore_case))?;
            }
            Tree::Look {
                tree,
                ahead,
                negated,
            } => {
                let behind = if *ahead { None } else { tree.width() };
                let look = self.push(Instruction::Look {
                    end: 0,
                    behind,
                    negated: *negated,
                })?;
                self.add(tree)?;
                self.push(Instruction::Accept)?;
                let here = self.here();
                if let Instruction::Look { end, .. } = &mut self.instructions[look] {
                    *end = here;
                }
            }
            Tree::Atomic(tree) => self.add_atomic(|program| program.add(tree))?,
            Tree::IfGroup(group, yes, no) => {
                let test = self.push(Instruction::IfGroup {
                    group: *group,
                    no: 0,
                })?;
                self.add(yes)?;
                let leave = self.push(Instruction::Jump(0))?;
                let otherwise = self.here();
                self.add(no)?;
                let end = self.here();
                self.instructions[leave] = Instruction::Jump(end);
                self.instructions[test] = Instruction::IfGroup {
                    group: *group,
                    no: otherwise,
                };
            }
        }
        Ok(())
    }

    fn add_atomic(
        &mut self,
        add: impl FnOnce(&mut Self) -> Result<(), RegexError>,
    ) -> Result<(), RegexError> {
        let atomic = self.push(Instruction::Atomic { end: 0 })?;
        add(self)?;
        self.push(Instruction::Accept)?;
        let end = self.here();
        self.instructions[atomic] = Instruction::Atomic { end };
        Ok(())
    }

    fn add_choice(&mut self, ways: &[Tree]) -> Result<(), RegexError> {
        let mut leaves = Vec::new();
        for (index, way) in ways.iter().enumerate() {
            if index + 1 == ways.len() {
                self.add(way)?;
                break;
            }
            let split = self.push(Instruction::Split(0, 0))?;
            self.add(way)?;
            leaves.push(self.push(Instruction::Jump(0))?);
            self.instructions[split] = Instruction::Split(split + 1, self.here());
        }
        let end = self.here();
        for leave in leaves {
            self.instructions[leave] = Instruction::Jump(end);
        }
        Ok(())
    }

    fn add_repeat(
        &mut self,
        tree: &Tree,
        least: u32,
        most: u32,
        mode: Mode,
    ) -> Result<(), RegexError> {
        if let Some(single) = single(tree) {
            let run = Instruction::Run {
                single,
                least,
                most,
                mode,
            };
            return self.push(run).map(|_| ());
        }
        if mode == Mode::Possessive {
            return self.add_atomic(|program| program.add_repeat(tree, least, most, Mode::Greedy));
        }
        for _ in 0..least {
            self.add(tree)?;
        }
        let split = |on: usize, exit: usize| match mode {
            Mode::Lazy => Instruction::Split(exit, on),
            _ => Instruction::Split(on, exit),
        };
        if most == UNLIMITED {
            let slot = self.slots;
            self.slots += 1;
            let start = self.push(Instruction::Split(0, 0))?;
            self.push(Instruction::Save(slot))?;
            self.add(tree)?;
            let check = self.push(Instruction::EndLoop { slot, exit: 0 })?;
            self.push(Instruction::Jump(start))?;
            let exit = self.here();
            self.instructions[start] = split(start + 1, exit);
            self.instructions[check] = Instruction::EndLoop { slot, exit };
            return Ok(());
        }
        // As in a loop without limit, nothing follows a turn that matched nothing.
        let slot = self.slots;
        self.slots += 1;
        let mut turns = Vec::new();
        for _ in least..most {
            let start = self.push(Instruction::Split(0, 0))?;
            self.push(Instruction::Save(slot))?;
            self.add(tree)?;
            let check = self.push(Instruction::EndLoop { slot, exit: 0 })?;
            turns.push((start, check));
        }
        let exit = self.here();
        for (start, check) in turns {
            self.instructions[start] = split(start + 1, exit);
            self.instructions[check] = Instruction::EndLoop { slot, exit };
        }
        Ok(())
    }
}

/// What matches exactly one character and keeps nothing.
fn single(tree: &Tree) -> Option<Single> {
    match tree {
        Tree::Literal(character, flags) => Some(Single::Literal(*character, flags.ignore_case)),
        Tree::Any(flags) => Some(Single::Any(flags.dot_all)),
        Tree::Set(set) => Some(Single::Set(set.clone())),
        Tree::Group(None, tree) => single(tree),
        _ => None,
    }
}
