//! Nodes that use regular expressions.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::SomeText;
use crate::text::regex::{Options, Regex, RegexError};

fn from_regex(error: &RegexError) -> NodeError {
    match error {
        RegexError::Syntax { .. } => NodeError::failed("re.error", error),
        RegexError::UnknownGroup(_) => NodeError::failed("IndexError", error),
        RegexError::TooSlow(_) => NodeError::runtime(error),
    }
}

/// A pattern that is no regular expression matches nothing.
fn compiled(pattern: &str, options: Options) -> Result<Option<Regex>, NodeError> {
    match Regex::new(pattern, options) {
        Ok(regex) => Ok(Some(regex)),
        Err(RegexError::Syntax { message, position }) => {
            tracing::warn!(%message, position, "this is no regular expression, it matches nothing");
            Ok(None)
        }
        Err(error) => Err(from_regex(&error)),
    }
}

/// Tells whether a text matches a regular expression anywhere. The syntax is that of Python. An expression that is not valid
/// matches nothing.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RegexMatch",
    name = "Regex Match",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct RegexMatch {
    /// The text.
    #[input(multiline)]
    string: String,
    /// The regular expression.
    #[input(multiline)]
    regex_pattern: String,
    /// Whether large and small letters are the same.
    #[input(default = true)]
    case_insensitive: bool,
    /// Whether ^ and $ match at the start and end of every line.
    #[input(default = false)]
    multiline: bool,
    /// Whether a dot matches line ends too.
    #[input(default = false)]
    dotall: bool,
}

/// The result of [`RegexMatch`].
#[derive(Debug, Outputs)]
pub struct Matches {
    /// Whether it matches.
    matches: bool,
}

impl Node for RegexMatch {
    type Output = Matches;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Matches, NodeError> {
        let options = Options {
            ignore_case: self.case_insensitive,
            multiline: self.multiline,
            dot_all: self.dotall,
        };
        let matches = match compiled(&self.regex_pattern, options)? {
            Some(regex) => regex
                .search(&self.string)
                .map_err(|error| from_regex(&error))?
                .is_some(),
            None => false,
        };
        Ok(Matches { matches })
    }
}

/// What to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum ExtractMode {
    /// The first match.
    #[choice("First Match")]
    FirstMatch,
    /// All matches.
    #[choice("All Matches")]
    AllMatches,
    /// A group of the first match.
    #[choice("First Group")]
    FirstGroup,
    /// A group of all matches.
    #[choice("All Groups")]
    AllGroups,
}

/// Takes out of a text what matches a regular expression. The syntax is that of Python. An expression that is not valid matches
/// nothing.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RegexExtract",
    name = "Regex Extract",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct RegexExtract {
    /// The text.
    #[input(multiline)]
    string: String,
    /// The regular expression.
    #[input(multiline)]
    regex_pattern: String,
    /// What to take: the first match or all, as a whole or one group of them. Several are written in lines of their own. Of an
    /// expression with groups, "All Matches" takes the first group.
    mode: ExtractMode,
    /// Whether large and small letters are the same.
    #[input(default = true)]
    case_insensitive: bool,
    /// Whether ^ and $ match at the start and end of every line.
    #[input(default = false)]
    multiline: bool,
    /// Whether a dot matches line ends too.
    #[input(default = false)]
    dotall: bool,
    /// The number of the group; 0 is the whole match.
    #[input(default = 1u32, min = 0u32, max = 100u32)]
    group_index: u32,
}

/// The result of [`RegexExtract`].
#[derive(Debug, Outputs)]
pub struct ExtractedText {
    /// What was found; nothing found is an empty text, and a group that took no part in the first match is none at all.
    #[output(name = "STRING")]
    text: Option<String>,
}

impl Node for RegexExtract {
    type Output = ExtractedText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ExtractedText, NodeError> {
        let options = Options {
            ignore_case: self.case_insensitive,
            multiline: self.multiline,
            dot_all: self.dotall,
        };
        let text = match compiled(&self.regex_pattern, options)? {
            Some(regex) => extracted(&regex, &self.string, self.mode, self.group_index as usize)?,
            None => Some(String::new()),
        };
        Ok(ExtractedText { text })
    }
}

fn extracted(
    regex: &Regex,
    text: &str,
    mode: ExtractMode,
    group: usize,
) -> Result<Option<String>, NodeError> {
    let count = match mode {
        ExtractMode::FirstMatch | ExtractMode::FirstGroup => 1,
        ExtractMode::AllMatches | ExtractMode::AllGroups => usize::MAX,
    };
    let matches = regex
        .matches(text, count)
        .map_err(|error| from_regex(&error))?;
    let Some(first) = matches.first() else {
        return Ok(Some(String::new()));
    };
    let texts = match mode {
        ExtractMode::FirstMatch => return Ok(first.group(0).map(str::to_owned)),
        ExtractMode::FirstGroup if first.groups() < group => return Ok(Some(String::new())),
        ExtractMode::FirstGroup => return Ok(first.group(group).map(str::to_owned)),
        ExtractMode::AllMatches => {
            let group = first.groups().min(1);
            let texts = matches.iter();
            texts
                .map(|found| found.group(group).unwrap_or_default())
                .collect()
        }
        // An expression without groups has no group 0 here either.
        ExtractMode::AllGroups if first.groups() == 0 || first.groups() < group => Vec::new(),
        ExtractMode::AllGroups => {
            let texts = matches.iter().enumerate().map(|(index, found)| {
                found.group(group).ok_or_else(|| {
                    NodeError::failed(
                        "TypeError",
                        format_args!(
                            "expected every match to have a text in group {group}, match {} has none",
                            index + 1
                        ),
                    )
                })
            });
            texts.collect::<Result<Vec<_>, _>>()?
        }
    };
    Ok(Some(texts.join("\n")))
}

/// Replaces in a text what matches a regular expression. The syntax is that of Python.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RegexReplace",
    name = "Regex Replace",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct RegexReplace {
    /// The text.
    #[input(multiline)]
    string: String,
    /// The regular expression.
    #[input(multiline)]
    regex_pattern: String,
    /// What to write instead. \1 or \g<name> stands for a group of the match.
    #[input(multiline)]
    replace: String,
    /// Whether large and small letters are the same.
    #[input(default = true)]
    case_insensitive: Option<bool>,
    /// Whether ^ and $ match at the start and end of every line.
    #[input(default = false)]
    multiline: Option<bool>,
    /// Whether a dot matches line ends too.
    #[input(default = false)]
    dotall: Option<bool>,
    /// How many matches to replace; 0 replaces all.
    #[input(default = 0u32, min = 0u32, max = 100u32)]
    count: Option<u32>,
}

impl Node for RegexReplace {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        let options = Options {
            ignore_case: self.case_insensitive.unwrap_or(true),
            multiline: self.multiline.unwrap_or(false),
            dot_all: self.dotall.unwrap_or(false),
        };
        let count = self.count.unwrap_or(0) as usize;
        let replaced = Regex::new(&self.regex_pattern, options)
            .and_then(|regex| regex.replace(&self.string, &self.replace, count));
        Ok(replaced.map_err(|error| from_regex(&error))?.into())
    }
}
