//! Replacements that name groups.

use super::RegexError;
use super::program::Program;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Group(usize),
}

pub(super) fn parse(text: &str, program: &Program) -> Result<Vec<Part>, RegexError> {
    let characters: Vec<char> = text.chars().collect();
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut position = 0;
    let digit_at = |position: usize, radix: u32| {
        characters
            .get(position)
            .filter(|character| character.is_digit(radix))
            .copied()
    };
    while let Some(&character) = characters.get(position) {
        position += 1;
        if character != '\\' {
            literal.push(character);
            continue;
        }
        let start = position;
        let error = |message: String| Err(RegexError::syntax(message, start));
        let Some(&letter) = characters.get(position) else {
            return error("bad escape (end of pattern)".to_owned());
        };
        position += 1;
        let group = match letter {
            'g' => {
                let rest = &characters[position..];
                let Some((&'<', rest)) = rest.split_first() else {
                    return error("missing <".to_owned());
                };
                let Some(length) = rest.iter().position(|character| *character == '>') else {
                    return error("missing >, unterminated name".to_owned());
                };
                let name: String = rest[..length].iter().collect();
                position += length + 2;
                group_of(&name, program, position)?
            }
            '0' => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(digit) = digit_at(position, 8) else {
                        break;
                    };
                    value = value * 8 + digit.to_digit(8).unwrap_or(0);
                    position += 1;
                }
                literal.extend(char::from_u32(value & 0xff));
                continue;
            }
            '1'..='9' => {
                let mut digits = String::from(letter);
                if let Some(digit) = digit_at(position, 10) {
                    digits.push(digit);
                    position += 1;
                    if digits.chars().all(|digit| digit.is_digit(8))
                        && let Some(digit) = digit_at(position, 8)
                    {
                        digits.push(digit);
                        position += 1;
                        match u32::from_str_radix(&digits, 8) {
                            Ok(value) if value <= 0o377 => literal.extend(char::from_u32(value)),
                            _ => {
                                return error(format!(
                                    "octal escape value \\{digits} outside of range 0-0o377"
                                ));
                            }
                        }
                        continue;
                    }
                }
                group_of(&digits, program, position)?
            }
            letter => {
                match letter {
                    'a' => literal.push('\x07'),
                    'b' => literal.push('\x08'),
                    'f' => literal.push('\x0c'),
                    'n' => literal.push('\n'),
                    'r' => literal.push('\r'),
                    't' => literal.push('\t'),
                    'v' => literal.push('\x0b'),
                    '\\' => literal.push('\\'),
                    letter if letter.is_ascii_alphabetic() => {
                        return error(format!("bad escape \\{letter}"));
                    }
                    other => literal.extend(['\\', other]),
                }
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Group(group));
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

fn group_of(name: &str, program: &Program, position: usize) -> Result<usize, RegexError> {
    if name.is_empty() {
        return Err(RegexError::syntax("missing group name", position));
    }
    if name.chars().all(|digit| digit.is_ascii_digit()) {
        return match name.parse() {
            Ok(group) if group <= program.groups => Ok(group),
            _ => Err(RegexError::syntax(
                format!("invalid group reference {name}"),
                position,
            )),
        };
    }
    let group = program.names.get(name).copied();
    group.ok_or_else(|| RegexError::UnknownGroup(name.to_owned()))
}
