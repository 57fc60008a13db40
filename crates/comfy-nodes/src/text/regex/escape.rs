//! What a backslash or a bracket begins in a pattern.

use super::RegexError;
use super::class::{Category, Flags, Member, Set};
use super::parse::{Parser, Place, Tree};

impl Parser {
    /// What follows a backslash outside of brackets.
    pub(super) fn escape(&mut self, flags: Flags) -> Result<Tree, RegexError> {
        let Some(letter) = self.next() else {
            return Err(self.error("bad escape (end of pattern)"));
        };
        let category = |category, negated| {
            Ok(Tree::Set(Set {
                members: vec![Member::Category(category, negated)],
                negated: false,
                ignore_case: false,
                ascii: flags.ascii,
            }))
        };
        match letter {
            'A' => return Ok(Tree::At(Place::TextStart, flags)),
            'Z' => return Ok(Tree::At(Place::TextEnd, flags)),
            'b' => return Ok(Tree::At(Place::WordEdge, flags)),
            'B' => return Ok(Tree::At(Place::NoWordEdge, flags)),
            'd' | 'D' => return category(Category::Digit, letter == 'D'),
            's' | 'S' => return category(Category::Space, letter == 'S'),
            'w' | 'W' => return category(Category::Word, letter == 'W'),
            '1'..='9' => {
                let mut digits = String::from(letter);
                digits += &self.take_while(1, |digit| digit.is_ascii_digit());
                let is_octal = |text: &str| text.chars().all(|digit| digit.is_digit(8));
                if digits.len() == 2
                    && is_octal(&digits)
                    && self.peek().is_some_and(|digit| digit.is_digit(8))
                {
                    digits += &self.take_while(1, |digit| digit.is_digit(8));
                    return Ok(Tree::Literal(self.octal(&digits)?, flags));
                }
                let group: usize = digits.parse().unwrap_or(usize::MAX);
                if group > self.groups {
                    return Err(self.error(format!("invalid group reference {group}")));
                }
                return self.same(group, flags);
            }
            _ => {}
        }
        self.character(letter)
            .map(|character| Tree::Literal(character, flags))
    }

    fn octal(&self, digits: &str) -> Result<char, RegexError> {
        match u32::from_str_radix(digits, 8) {
            Ok(value) if value <= 0o377 => char::from_u32(value),
            _ => None,
        }
        .ok_or_else(|| {
            self.error(format!(
                "octal escape value \\{digits} outside of range 0-0o377"
            ))
        })
    }

    /// The character of an escape that stands for one, in brackets or outside.
    fn character(&mut self, letter: char) -> Result<char, RegexError> {
        let hexadecimal = |parser: &mut Self, length: usize| {
            let digits = parser.take_while(length, |digit| digit.is_ascii_hexdigit());
            if digits.len() < length {
                return Err(parser.error(format!("incomplete escape \\{letter}{digits}")));
            }
            let value = u32::from_str_radix(&digits, 16).ok();
            // Half a surrogate pair is a character for Python. No text that reaches us holds one.
            value
                .and_then(char::from_u32)
                .ok_or_else(|| parser.error(format!("bad escape \\{letter}{digits}")))
        };
        Ok(match letter {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => hexadecimal(self, 2)?,
            'u' => hexadecimal(self, 4)?,
            'U' => hexadecimal(self, 8)?,
            '0' => {
                let digits = self.take_while(2, |digit| digit.is_digit(8));
                self.octal(&format!("0{digits}"))?
            }
            letter if letter.is_ascii_alphabetic() => {
                return Err(self.error(format!("bad escape \\{letter}")));
            }
            other => other,
        })
    }

    /// What follows an opening bracket.
    pub(super) fn set(&mut self, flags: Flags) -> Result<Tree, RegexError> {
        let start = self.position - 1;
        let negated = self.eat('^');
        let mut members = Vec::new();
        let mut is_first = true;
        loop {
            let unterminated = || RegexError::syntax("unterminated character set", start);
            let Some(character) = self.next() else {
                return Err(unterminated());
            };
            if character == ']' && !is_first {
                break;
            }
            is_first = false;
            let member = self.member(character)?;
            let is_range = self.peek() == Some('-')
                && self
                    .pattern
                    .get(self.position + 1)
                    .is_some_and(|next| *next != ']');
            if !is_range {
                members.push(member);
                continue;
            }
            self.position += 1;
            let last = self.next().ok_or_else(unterminated)?;
            match (member, self.member(last)?) {
                (Member::Range(first, _), Member::Range(_, last)) if first <= last => {
                    members.push(Member::Range(first, last));
                }
                _ => return Err(self.error("bad character range")),
            }
        }
        Ok(Tree::Set(Set {
            members,
            negated,
            ignore_case: flags.ignore_case,
            ascii: flags.ascii,
        }))
    }

    fn member(&mut self, character: char) -> Result<Member, RegexError> {
        if character != '\\' {
            return Ok(Member::Range(character, character));
        }
        let Some(letter) = self.next() else {
            return Err(self.error("bad escape (end of pattern)"));
        };
        let character = match letter {
            'd' | 'D' => return Ok(Member::Category(Category::Digit, letter == 'D')),
            's' | 'S' => return Ok(Member::Category(Category::Space, letter == 'S')),
            'w' | 'W' => return Ok(Member::Category(Category::Word, letter == 'W')),
            'b' => '\x08',
            '0'..='7' => {
                let digits = self.take_while(2, |digit| digit.is_digit(8));
                self.octal(&format!("{letter}{digits}"))?
            }
            '8' | '9' => return Err(self.error(format!("bad escape \\{letter}"))),
            letter => self.character(letter)?,
        };
        Ok(Member::Range(character, character))
    }
}
