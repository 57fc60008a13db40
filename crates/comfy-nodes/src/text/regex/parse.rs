//! From the text of a pattern to a tree.

use std::collections::HashMap;

use super::RegexError;
use super::class::{Flags, Set};

/// How deep groups may lie in each other.
const DEEPEST: usize = 200;

/// A count without limit.
pub(super) const UNLIMITED: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Empty,
    Literal(char, Flags),
    Any(Flags),
    Set(Set),
    At(Place, Flags),
    Sequence(Vec<Tree>),
    Choice(Vec<Tree>),
    Repeat {
        tree: Box<Tree>,
        least: u32,
        most: u32,
        mode: Mode,
    },
    /// With a number, its text is kept.
    Group(Option<usize>, Box<Tree>),
    /// The text of an earlier group.
    /// Its width too, if that is always the same.
    Same(usize, Flags, Option<usize>),
    Look {
        tree: Box<Tree>,
        ahead: bool,
        negated: bool,
    },
    Atomic(Box<Tree>),
    IfGroup(usize, Box<Tree>, Box<Tree>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) tree: Tree,
    /// How many groups there are besides the whole match.
    pub(super) groups: usize,
    pub(super) names: HashMap<String, usize>,
}

pub(super) fn parse(pattern: &str, flags: Flags) -> Result<Parsed, RegexError> {
    let mut parser = Parser {
        pattern: pattern.chars().collect(),
        position: 0,
        groups: 0,
        open: Vec::new(),
        names: HashMap::new(),
        widths: vec![None],
        behind: Vec::new(),
        conditions: Vec::new(),
        depth: 0,
    };
    let flags = parser.leading_flags(flags)?;
    let tree = parser.choice(flags)?;
    if parser.position < parser.pattern.len() {
        return Err(parser.error("unbalanced parenthesis"));
    }
    for (group, position) in &parser.conditions {
        if *group > parser.groups {
            return Err(RegexError::syntax(
                format!("invalid group reference {group}"),
                *position,
            ));
        }
    }
    Ok(Parsed {
        tree,
        groups: parser.groups,
        names: parser.names,
    })
}

pub(super) struct Parser {
    pub(super) pattern: Vec<char>,
    pub(super) position: usize,
    pub(super) groups: usize,
    /// Groups whose end has not come yet.
    open: Vec<usize>,
    names: HashMap<String, usize>,
    /// The widths of the groups, by number.
    widths: Vec<Option<usize>>,
    /// For each look-behind that is being read, how many groups there were before it.
    behind: Vec<usize>,
    /// Groups that conditions ask for, which may come later.
    conditions: Vec<(usize, usize)>,
    depth: usize,
}

impl Parser {
    pub(super) fn error(&self, message: impl Into<String>) -> RegexError {
        RegexError::syntax(message, self.position)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.pattern.get(self.position).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.position += 1;
        Some(next)
    }

    pub(super) fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    fn eat_text(&mut self, wanted: &str) -> bool {
        let found = wanted
            .chars()
            .enumerate()
            .all(|(offset, wanted)| self.pattern.get(self.position + offset) == Some(&wanted));
        self.position += if found { wanted.chars().count() } else { 0 };
        found
    }

    pub(super) fn take_while(&mut self, most: usize, wanted: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while text.len() < most
            && let Some(character) = self.peek().filter(|character| wanted(*character))
        {
            text.push(character);
            self.position += 1;
        }
        text
    }

    fn until(&mut self, end: char, what: &str) -> Result<String, RegexError> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some(character) if character == end => break,
                Some(character) => text.push(character),
                None => return Err(self.error(format!("missing {end}, unterminated name"))),
            }
        }
        if text.is_empty() {
            return Err(self.error(format!("missing {what}")));
        }
        Ok(text)
    }

    /// `(?ims)` at the very beginning is for the whole pattern.
    fn leading_flags(&mut self, mut flags: Flags) -> Result<Flags, RegexError> {
        loop {
            let start = self.position;
            if flags.verbose {
                self.skip_blanks();
            }
            if !self.eat_text("(?") {
                break;
            }
            let letters = self.take_while(usize::MAX, |letter| letter.is_ascii_alphabetic());
            if letters.is_empty() || letters.starts_with('P') || !self.eat(')') {
                self.position = start;
                break;
            }
            for letter in letters.chars() {
                self.set_flag(&mut flags, letter, true)?;
            }
        }
        Ok(flags)
    }

    fn set_flag(&self, flags: &mut Flags, letter: char, value: bool) -> Result<(), RegexError> {
        match letter {
            'i' => flags.ignore_case = value,
            'm' => flags.multiline = value,
            's' => flags.dot_all = value,
            'x' => flags.verbose = value,
            'a' if value => flags.ascii = true,
            'u' if value => flags.ascii = false,
            'a' | 'u' => {
                return Err(self.error("bad inline flags: cannot turn off flags 'a', 'u' and 'L'"));
            }
            'L' => {
                return Err(self.error("bad inline flags: cannot use 'L' flag with a str pattern"));
            }
            _ => return Err(self.error("unknown flag")),
        }
        Ok(())
    }

    fn choice(&mut self, flags: Flags) -> Result<Tree, RegexError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(format!("more than {DEEPEST} groups in each other")));
        }
        let mut ways = vec![self.sequence(flags)?];
        while self.eat('|') {
            ways.push(self.sequence(flags)?);
        }
        self.depth -= 1;
        Ok(match ways.len() {
            1 => ways.swap_remove(0),
            _ => Tree::Choice(ways),
        })
    }

    fn skip_blanks(&mut self) {
        while let Some(character) = self.peek() {
            if matches!(character, ' ' | '\t'..='\r') {
                self.position += 1;
            } else if character == '#' {
                while self.next().is_some_and(|character| character != '\n') {}
            } else {
                break;
            }
        }
    }

    fn sequence(&mut self, flags: Flags) -> Result<Tree, RegexError> {
        let mut items: Vec<Tree> = Vec::new();
        loop {
            if flags.verbose {
                self.skip_blanks();
            }
            let start = self.position;
            let Some(character) = self.peek() else { break };
            if matches!(character, '|' | ')') {
                break;
            }
            self.position += 1;
            let item = match character {
                '\\' => self.escape(flags)?,
                '[' => self.set(flags)?,
                '.' => Tree::Any(flags),
                '^' if flags.multiline => Tree::At(Place::LineStart, flags),
                '^' => Tree::At(Place::TextStart, flags),
                '$' => Tree::At(Place::LineEnd, flags),
                '(' => match self.group(flags)? {
                    Some(group) => group,
                    None => continue,
                },
                '*' | '+' | '?' | '{' => {
                    let Some((least, most)) = self.counts(character)? else {
                        items.push(Tree::Literal(character, flags));
                        continue;
                    };
                    let item = items.pop();
                    let repeated = self.repeated(item, least, most, start)?;
                    items.push(repeated);
                    continue;
                }
                literal => Tree::Literal(literal, flags),
            };
            items.push(item);
        }
        Ok(match items.len() {
            0 => Tree::Empty,
            1 => items.swap_remove(0),
            _ => Tree::Sequence(items),
        })
    }

    /// The counts of a repetition; nothing when a brace is but a brace.
    fn counts(&mut self, sign: char) -> Result<Option<(u32, u32)>, RegexError> {
        let counts = match sign {
            '*' => (0, UNLIMITED),
            '+' => (1, UNLIMITED),
            '?' => (0, 1),
            _ => {
                let start = self.position;
                if self.peek() == Some('}') {
                    return Ok(None);
                }
                let digit = |character: char| character.is_ascii_digit();
                let least = self.take_while(usize::MAX, digit);
                let most = if self.eat(',') {
                    self.take_while(usize::MAX, digit)
                } else {
                    least.clone()
                };
                let is_plain = least.is_empty()
                    && most.is_empty()
                    && self.pattern.get(self.position - 1) != Some(&',');
                if !self.eat('}') || is_plain {
                    self.position = start;
                    return Ok(None);
                }
                let number = |text: &str, missing: u32| match text {
                    "" => Ok(missing),
                    text => text
                        .parse()
                        .ok()
                        .filter(|count| *count < UNLIMITED)
                        .ok_or_else(|| self.error("the repetition number is too large")),
                };
                let (least, most) = (number(&least, 0)?, number(&most, UNLIMITED)?);
                if most < least {
                    return Err(self.error("min repeat greater than max repeat"));
                }
                (least, most)
            }
        };
        Ok(Some(counts))
    }

    fn repeated(
        &mut self,
        item: Option<Tree>,
        least: u32,
        most: u32,
        position: usize,
    ) -> Result<Tree, RegexError> {
        let tree = match item {
            None | Some(Tree::At(..)) => {
                return Err(RegexError::syntax("nothing to repeat", position));
            }
            Some(Tree::Repeat { .. }) => {
                return Err(RegexError::syntax("multiple repeat", position));
            }
            Some(tree) => Box::new(tree),
        };
        let mode = if self.eat('?') {
            Mode::Lazy
        } else if self.eat('+') {
            Mode::Possessive
        } else {
            Mode::Greedy
        };
        Ok(Tree::Repeat {
            tree,
            least,
            most,
            mode,
        })
    }

    /// What follows an opening parenthesis; nothing for a comment.
    fn group(&mut self, flags: Flags) -> Result<Option<Tree>, RegexError> {
        let start = self.position - 1;
        if !self.eat('?') {
            return self.capture(flags, None, start).map(Some);
        }
        let tree = match self.next() {
            None => return Err(self.error("unexpected end of pattern")),
            Some('P') => match self.next() {
                Some('<') => {
                    let name = self.until('>', "group name")?;
                    return self.capture(flags, Some(name), start).map(Some);
                }
                Some('=') => {
                    let name = self.until(')', "group name")?;
                    let group = self.named(&name)?;
                    return self.same(group, flags).map(Some);
                }
                _ => return Err(self.error("unknown extension ?P")),
            },
            Some(':') => Tree::Group(None, Box::new(self.choice(flags)?)),
            Some('#') => loop {
                match self.next() {
                    Some(')') => return Ok(None),
                    Some(_) => {}
                    None => return Err(self.error("missing ), unterminated comment")),
                }
            },
            Some('=') => self.look(flags, true, false)?,
            Some('!') => self.look(flags, true, true)?,
            Some('<') => match self.next() {
                Some('=') => self.look(flags, false, false)?,
                Some('!') => self.look(flags, false, true)?,
                _ => return Err(self.error("unknown extension ?<")),
            },
            Some('>') => Tree::Atomic(Box::new(self.choice(flags)?)),
            Some('(') => self.condition(flags)?,
            Some(letter) if letter == '-' || letter.is_ascii_alphabetic() => {
                self.position -= 1;
                let flags = self.scoped_flags(flags)?;
                Tree::Group(None, Box::new(self.choice(flags)?))
            }
            Some(other) => return Err(self.error(format!("unknown extension ?{other}"))),
        };
        self.close(start)?;
        Ok(Some(tree))
    }

    fn close(&mut self, start: usize) -> Result<(), RegexError> {
        if self.eat(')') {
            return Ok(());
        }
        Err(RegexError::syntax(
            "missing ), unterminated subpattern",
            start,
        ))
    }

    fn capture(
        &mut self,
        flags: Flags,
        name: Option<String>,
        start: usize,
    ) -> Result<Tree, RegexError> {
        self.groups += 1;
        let number = self.groups;
        if let Some(name) = name {
            if !is_identifier(&name) {
                return Err(self.error(format!("bad character in group name '{name}'")));
            }
            if let Some(earlier) = self.names.insert(name.clone(), number) {
                return Err(self.error(format!(
                    "redefinition of group name '{name}' as group {number}; was group {earlier}"
                )));
            }
        }
        self.open.push(number);
        self.widths.push(None);
        let tree = self.choice(flags)?;
        self.close(start)?;
        self.open.pop();
        self.widths[number] = tree.width();
        Ok(Tree::Group(Some(number), Box::new(tree)))
    }

    fn look(&mut self, flags: Flags, ahead: bool, negated: bool) -> Result<Tree, RegexError> {
        if !ahead {
            self.behind.push(self.groups);
        }
        let tree = Box::new(self.choice(flags)?);
        if !ahead {
            self.behind.pop();
            if tree.width().is_none() {
                return Err(self.error("look-behind requires fixed-width pattern"));
            }
        }
        Ok(Tree::Look {
            tree,
            ahead,
            negated,
        })
    }

    fn condition(&mut self, flags: Flags) -> Result<Tree, RegexError> {
        let name = self.until(')', "group name")?;
        let group = if let Ok(number) = name.parse::<usize>() {
            if number == 0 {
                return Err(self.error("bad group number"));
            }
            self.conditions.push((number, self.position));
            number
        } else {
            self.named(&name)?
        };
        let yes = self.sequence(flags)?;
        let no = if self.eat('|') {
            self.sequence(flags)?
        } else {
            Tree::Empty
        };
        if self.peek() == Some('|') {
            return Err(self.error("conditional backref with more than two branches"));
        }
        Ok(Tree::IfGroup(group, Box::new(yes), Box::new(no)))
    }

    /// `(?i-m:`, after the question mark.
    fn scoped_flags(&mut self, mut flags: Flags) -> Result<Flags, RegexError> {
        let (mut value, mut turned_on) = (true, String::new());
        loop {
            match self.next() {
                Some(':') => return Ok(flags),
                Some(letter) if !value && turned_on.contains(letter) => {
                    return Err(self.error("bad inline flags: flag turned on and off"));
                }
                Some(')') => {
                    return Err(self.error("global flags not at the start of the expression"));
                }
                Some('-') if value => value = false,
                Some(letter) => {
                    self.set_flag(&mut flags, letter, value)?;
                    turned_on.push(letter);
                }
                None => return Err(self.error("missing :")),
            }
        }
    }

    fn named(&self, name: &str) -> Result<usize, RegexError> {
        let group = self.names.get(name).copied();
        group.ok_or_else(|| self.error(format!("unknown group name '{name}'")))
    }

    /// A reference to a group that is complete.
    pub(super) fn same(&self, group: usize, flags: Flags) -> Result<Tree, RegexError> {
        if self.open.contains(&group) {
            return Err(self.error("cannot refer to an open group"));
        }
        if self.behind.iter().any(|before| group > *before) {
            return Err(
                self.error("cannot refer to group defined in the same lookbehind subpattern")
            );
        }
        Ok(Tree::Same(group, flags, self.widths[group]))
    }
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let first = |character: char| character == '_' || character.is_alphabetic();
    characters.next().is_some_and(first)
        && characters.all(|character| character == '_' || character.is_alphanumeric())
}

impl Tree {
    /// The number of characters that this matches, if that is always the same.
    pub(super) fn width(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::At(..) | Self::Look { .. } => Some(0),
            Self::Literal(..) | Self::Any(_) | Self::Set(_) => Some(1),
            Self::Sequence(items) => items
                .iter()
                .try_fold(0_usize, |sum, item| sum.checked_add(item.width()?)),
            Self::Choice(ways) => {
                let mut widths = ways.iter().map(Self::width);
                let first = widths.next()??;
                widths.all(|width| width == Some(first)).then_some(first)
            }
            Self::Repeat {
                tree, least, most, ..
            } => {
                let width = tree.width()?;
                if least == most {
                    width.checked_mul(*least as usize)
                } else {
                    (width == 0).then_some(0)
                }
            }
            Self::Group(_, tree) | Self::Atomic(tree) => tree.width(),
            Self::Same(_, _, width) => *width,
            Self::IfGroup(_, yes, no) => yes.width().filter(|width| no.width() == Some(*width)),
        }
    }
}
