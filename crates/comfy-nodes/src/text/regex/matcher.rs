//! The machine that matches.

use super::RegexError;
use super::class::{Category, Flags, same_letter};
use super::parse::{Mode, Place, UNLIMITED};
use super::program::{Instruction, Program};

/// Steps that all matches in one text may take together: about a second.
const MOST_STEPS: u64 = 50_000_000;

/// Ways that may be open at once.
const MOST_WAYS: usize = 4_000_000;

/// What to do when the way that is tried fails.
#[derive(Debug, Clone, Copy)]
enum Undo {
    /// Go on there instead.
    Try { instruction: usize, position: usize },
    /// As `Try`, from `next` down to `last`, or up to it.
    Range {
        instruction: usize,
        next: usize,
        last: usize,
    },
    /// A slot gets its old value back.
    Restore { slot: usize, value: Option<usize> },
}

pub(super) struct Matcher<'a> {
    program: &'a Program,
    text: &'a [char],
    slots: Vec<Option<usize>>,
    undo: Vec<Undo>,
    steps: u64,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(program: &'a Program, text: &'a [char]) -> Self {
        Self {
            program,
            text,
            slots: vec![None; program.slots],
            undo: Vec::new(),
            steps: 0,
        }
    }

    /// The slots of the groups of the first match from `start` on. With `must_advance` an empty match does not count there.
    pub(super) fn search(
        &mut self,
        start: usize,
        must_advance: bool,
    ) -> Result<Option<Vec<Option<usize>>>, RegexError> {
        for position in start..=self.text.len() {
            self.slots.fill(None);
            self.undo.clear();
            let forbidden = (must_advance && position == start).then_some(position);
            if let Some(end) = self.run(0, position, forbidden)? {
                self.slots[0] = Some(position);
                self.slots[1] = Some(end);
                let groups = 2 * (self.program.groups + 1);
                return Ok(Some(self.slots[..groups].to_vec()));
            }
        }
        Ok(None)
    }

    fn push(&mut self, undo: Undo) -> Result<(), RegexError> {
        if self.undo.len() >= MOST_WAYS {
            return Err(RegexError::TooSlow(MOST_STEPS));
        }
        self.undo.push(undo);
        Ok(())
    }

    fn save(&mut self, slot: usize, value: Option<usize>) -> Result<(), RegexError> {
        self.push(Undo::Restore {
            slot,
            value: self.slots[slot],
        })?;
        self.slots[slot] = value;
        Ok(())
    }

    /// Goes back to the last way that is still open above `floor`.
    fn back(&mut self, floor: usize) -> Option<(usize, usize)> {
        while self.undo.len() > floor {
            match self.undo.pop()? {
                Undo::Try {
                    instruction,
                    position,
                } => return Some((instruction, position)),
                Undo::Restore { slot, value } => self.slots[slot] = value,
                Undo::Range {
                    instruction,
                    next,
                    last,
                } => {
                    if next != last {
                        let next = if next < last { next + 1 } else { next - 1 };
                        self.undo.push(Undo::Range {
                            instruction,
                            next,
                            last,
                        });
                    }
                    return Some((instruction, next));
                }
            }
        }
        None
    }

    /// Matches from an instruction to `Accept`; gives the position there. What can be undone stays on the stack.
    fn run(
        &mut self,
        mut instruction: usize,
        mut position: usize,
        forbidden: Option<usize>,
    ) -> Result<Option<usize>, RegexError> {
        let floor = self.undo.len();
        let program = self.program;
        loop {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return Err(RegexError::TooSlow(MOST_STEPS));
            }
            let goes_on = match &program.instructions[instruction] {
                Instruction::Accept if forbidden == Some(position) => false,
                Instruction::Accept => return Ok(Some(position)),
                Instruction::One(single) => {
                    let matches = self
                        .text
                        .get(position)
                        .is_some_and(|character| single.matches(*character));
                    position += 1;
                    matches
                }
                Instruction::Run { .. } => match self.take_run(instruction, position)? {
                    Some(end) => {
                        position = end;
                        true
                    }
                    None => false,
                },
                Instruction::At(place, flags) => self.is_at(*place, *flags, position),
                Instruction::Split(first, second) => {
                    self.push(Undo::Try {
                        instruction: *second,
                        position,
                    })?;
                    instruction = *first;
                    continue;
                }
                Instruction::Jump(target) => {
                    instruction = *target;
                    continue;
                }
                Instruction::Save(slot) => {
                    self.save(*slot, Some(position))?;
                    true
                }
                Instruction::EndLoop { slot, exit } => {
                    if self.slots[*slot] == Some(position) {
                        instruction = *exit;
                        continue;
                    }
                    true
                }
                Instruction::Same(group, ignore_case) => {
                    match self.repeated(*group, *ignore_case, position) {
                        Some(end) => {
                            position = end;
                            true
                        }
                        None => false,
                    }
                }
                Instruction::Look {
                    end,
                    behind,
                    negated,
                } => {
                    let start = position.checked_sub(behind.unwrap_or(0));
                    let found = self.looks(instruction + 1, start, *negated)?;
                    instruction = *end - 1;
                    found != *negated
                }
                Instruction::Atomic { end } => {
                    let found = self.run_alone(instruction + 1, position)?;
                    position = found.unwrap_or(position);
                    instruction = *end - 1;
                    found.is_some()
                }
                Instruction::IfGroup { group, no } => {
                    if self.span(*group).is_none() {
                        instruction = *no;
                        continue;
                    }
                    true
                }
            };
            if goes_on {
                instruction += 1;
                continue;
            }
            match self.back(floor) {
                Some(way) => (instruction, position) = way,
                None => return Ok(None),
            }
        }
    }

    /// Takes a run of characters, of which it may give some back or take more later. Gives the position after it.
    fn take_run(
        &mut self,
        instruction: usize,
        position: usize,
    ) -> Result<Option<usize>, RegexError> {
        let Instruction::Run {
            single,
            least,
            most,
            mode,
        } = &self.program.instructions[instruction]
        else {
            return Ok(None);
        };
        let rest = &self.text[position..];
        let most = if *most == UNLIMITED {
            rest.len()
        } else {
            rest.len().min(*most as usize)
        };
        let run = rest[..most]
            .iter()
            .take_while(|character| single.matches(**character))
            .count();
        self.steps += run as u64;
        let least = *least as usize;
        if run < least {
            return Ok(None);
        }
        let (shortest, longest) = (position + least, position + run);
        let (end, others) = match mode {
            Mode::Lazy => (shortest, Some((shortest + 1, longest))),
            Mode::Greedy => (longest, Some((longest.saturating_sub(1), shortest))),
            Mode::Possessive => (longest, None),
        };
        if let Some((next, last)) = others.filter(|_| run > least) {
            self.push(Undo::Range {
                instruction: instruction + 1,
                next,
                last,
            })?;
        }
        Ok(Some(end))
    }

    /// Whether the instructions up to `Accept` match from `start` on. What they saved is kept when that is what is wanted.
    fn looks(
        &mut self,
        instruction: usize,
        start: Option<usize>,
        negated: bool,
    ) -> Result<bool, RegexError> {
        let depth = self.undo.len();
        let Some(start) = start else { return Ok(false) };
        let found = self.run(instruction, start, None)?.is_some();
        if found && !negated {
            self.forget_ways(depth);
        } else {
            self.unwind(depth);
        }
        Ok(found)
    }

    /// Matches the instructions up to `Accept` in the first way that fits, and no other.
    fn run_alone(
        &mut self,
        instruction: usize,
        position: usize,
    ) -> Result<Option<usize>, RegexError> {
        let depth = self.undo.len();
        let found = self.run(instruction, position, None)?;
        match found {
            Some(_) => self.forget_ways(depth),
            None => self.unwind(depth),
        }
        Ok(found)
    }

    /// Keeps what was saved since `depth`, so that it can be undone later, but gives up the open ways.
    fn forget_ways(&mut self, depth: usize) {
        let mut kept = depth;
        for index in depth..self.undo.len() {
            if matches!(self.undo[index], Undo::Restore { .. }) {
                self.undo[kept] = self.undo[index];
                kept += 1;
            }
        }
        self.undo.truncate(kept);
    }

    /// Undoes what was saved since `depth`.
    fn unwind(&mut self, depth: usize) {
        while self.undo.len() > depth {
            if let Some(Undo::Restore { slot, value }) = self.undo.pop() {
                self.slots[slot] = value;
            }
        }
    }

    fn span(&self, group: usize) -> Option<(usize, usize)> {
        let ends = (self.slots[2 * group], self.slots[2 * group + 1]);
        let (start, end) = ends.0.zip(ends.1)?;
        (start <= end).then_some((start, end))
    }

    /// The end of a repetition of a group's text.
    fn repeated(&mut self, group: usize, ignore_case: bool, position: usize) -> Option<usize> {
        let (start, end) = self.span(group)?;
        self.steps += (end - start) as u64;
        let wanted = &self.text[start..end];
        let found = self.text.get(position..position + wanted.len())?;
        let same = |(left, right): (&char, &char)| {
            left == right || (ignore_case && same_letter(*left, *right))
        };
        found
            .iter()
            .zip(wanted)
            .all(same)
            .then_some(position + wanted.len())
    }

    fn is_at(&self, place: Place, flags: Flags, position: usize) -> bool {
        let length = self.text.len();
        let is_word = |index: Option<usize>| {
            index
                .and_then(|index| self.text.get(index))
                .is_some_and(|character| Category::Word.contains(*character, flags.ascii))
        };
        let edge = || is_word(position.checked_sub(1)) != is_word(Some(position));
        let is_line_end = |index: usize| self.text.get(index) == Some(&'\n');
        match place {
            Place::TextStart => position == 0,
            Place::TextEnd => position == length,
            Place::LineStart => position == 0 || is_line_end(position - 1),
            Place::LineEnd if flags.multiline => position == length || is_line_end(position),
            Place::LineEnd => {
                position == length || (position + 1 == length && is_line_end(position))
            }
            Place::WordEdge => length > 0 && edge(),
            Place::NoWordEdge => length > 0 && !edge(),
        }
    }
}
