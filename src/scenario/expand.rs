//! Templates: `desk-{1..200}` stands for two hundred names, `{01..20}` keeps the zero, `{north,south}`
//! lists words; several braces multiply, the last one running fastest.

use super::values::Unfit;

/// Most names one template may stand for.
pub const NAMES_MAX: usize = 1_000_000;

/// A name made from a template, and what stood in its first braces (`{n}` in other texts of the entry).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expanded {
    /// The name.
    pub name: String,
    /// The number or word of the first braces; empty without braces.
    pub number: String,
}

/// All names a template stands for, in order.
pub fn expand(template: &str) -> Result<Vec<Expanded>, Unfit> {
    let bad = |why: String| Unfit { why, meant: None };
    let mut names = vec![Expanded { name: String::new(), number: String::new() }];
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, inner) = (&rest[..open], &rest[open + 1..]);
        let close = inner.find(['{', '}']);
        let (true, Some(close)) = (rest[open..].starts_with('{'), close) else {
            return Err(bad(format!("`{}` has no matching brace", &rest[open..=open])));
        };
        if inner[close..].starts_with('{') {
            return Err(bad("braces inside braces".to_string()));
        }
        let words = words(&inner[..close]).map_err(bad)?;
        if names.len().saturating_mul(words.len()) > NAMES_MAX {
            return Err(bad(format!("more than {NAMES_MAX} names")));
        }
        names = names
            .iter()
            .flat_map(|made| {
                words.iter().map(move |word| Expanded {
                    name: format!("{}{before}{word}", made.name),
                    number: if made.number.is_empty() { word } else { &made.number }.to_string(),
                })
            })
            .collect();
        rest = &inner[close + 1..];
    }
    for made in &mut names {
        made.name.push_str(rest);
    }
    Ok(names)
}

/// The name of a template without its braces, for legends: `desk`.
pub fn label(template: &str) -> String {
    let mut label = String::new();
    let mut depth = 0u32;
    for c in template.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => label.push(c),
            _ => {}
        }
    }
    label.trim_matches(['-', '_', ' ', '.']).to_string()
}

/// Whether a name matches a pattern in which `*` stands for any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.len() >= last.len() && left.ends_with(last)
}

fn words(inner: &str) -> Result<Vec<String>, String> {
    let Some((low, high)) = inner.split_once("..") else {
        let words: Vec<String> = inner.split(',').map(|w| w.trim().to_string()).collect();
        let empty = words.iter().any(String::is_empty);
        return if empty {
            Err(format!("`{{{inner}}}` names nothing; write {{1..200}}"))
        } else {
            Ok(words)
        };
    };
    let (low, high) = (low.trim(), high.trim());
    let (Ok(from), Ok(to)) = (low.parse::<u32>(), high.parse::<u32>()) else {
        return Err(format!("`{{{inner}}}` is no range of numbers; write {{1..200}}"));
    };
    if from > to {
        return Err(format!("`{{{inner}}}` counts backwards"));
    }
    if (to - from) as usize >= NAMES_MAX {
        return Err(format!("more than {NAMES_MAX} names"));
    }
    let width = if low.starts_with('0') && low.len() > 1 { low.len() } else { 0 };
    Ok((from..=to).map(|n| format!("{n:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: &str) -> Vec<String> {
        expand(template).unwrap().into_iter().map(|e| e.name).collect()
    }

    #[test]
    fn templates_expand_in_order() {
        assert_eq!(names("desk"), ["desk"]);
        assert_eq!(names("desk-{9..11}"), ["desk-9", "desk-10", "desk-11"]);
        assert_eq!(names("{n,s}-{01..02}x"), ["n-01x", "n-02x", "s-01x", "s-02x"]);
        assert_eq!(expand("{n,s}-{1..2}").unwrap()[3].number, "s");
        assert_eq!(label("desk-{1..9}"), "desk");
        for bad in ["a{", "a}", "a{}", "a{1..", "a{2..1}", "a{x..y}", "a{{1..2}}", "a{1..9999999}"]
        {
            assert!(expand(bad).is_err(), "{bad} passed");
        }
    }

    #[test]
    fn patterns_match_like_a_shell() {
        assert!(matches("desk-*", "desk-7") && matches("*", "x") && matches("a*c*", "abcd"));
        assert!(!matches("desk-*", "disk-7") && !matches("a*a", "a") && matches("a*a", "aba"));
    }
}
