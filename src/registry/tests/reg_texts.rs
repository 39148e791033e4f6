//! `.reg` texts: what they do, what they say of mistakes, and that they come back.

use super::*;
use proptest::prelude::*;

const APP: &str = r"Software\App";

fn messages(text: &str) -> Vec<String> {
    match RegFile::parse(text) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(|mistake| mistake.to_string()).collect(),
    }
}

#[test]
fn an_export_comes_back() {
    let mut one = sample();
    one.set_security(&path(r"Software\App\Empty"), None).expect("set");
    let text = one.export(&path(APP), RegDialect::Version5).expect("export");
    let mut two = Registry::new();
    two.import(&text).expect("import");
    assert_eq!(one, two);
    assert!(text.split("\r\n").all(|line| line.chars().count() <= 80), "{text}");
    // Again over what is there changes nothing.
    two.import(&text).expect("import");
    assert_eq!(one, two);
    let file = RegDialect::Version5.file_bytes(&text);
    assert_eq!(file[..4], [0xFF, 0xFE, b'W', 0]);
    assert_eq!(reg_file_text(&file), text);
}

#[test]
fn regedit4_writes_strings_in_the_code_page() {
    let mut one = sample();
    one.set_security(&path(r"Software\App\Empty"), None).expect("set");
    let text = one.export(&path(APP), RegDialect::Regedit4).expect("export");
    assert!(text.starts_with("REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\Software\\App]\r\n"));
    assert!(text.contains("\"List\"=hex(7):6f,6e,65,00,74,77,6f,00,00\r\n"), "{text}");
    let mut two = Registry::new();
    two.import(&reg_file_text(&RegDialect::Regedit4.file_bytes(&text))).expect("import");
    assert_eq!(one, two);
    // What the code page lacks is refused, not garbled.
    let key = path(APP);
    for value in [Value::sz("\u{3B1}"), Value::multi_sz(["\u{3B1}"])] {
        one.set(&key, "Greek", value).expect("set");
        let refused = one.export(&key, RegDialect::Regedit4);
        let name = "Greek".to_string();
        assert_eq!(refused, Err(ExportError::NotAnsi { path: key.clone(), name }));
        assert!(one.export(&key, RegDialect::Version5).is_ok());
    }
    one.set(&key, "Greek", Value::from_raw(REG_SZ, b"odd")).expect("set");
    assert!(one.export(&key, RegDialect::Regedit4).is_err());
    assert!(one.export(&path("Nowhere"), RegDialect::Version5).is_err());
}

#[test]
fn a_text_does_what_it_says() {
    let mut registry = sample();
    let text = "\u{FEFF}REGEDIT4\n\n; a comment \\\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\App]\n\
        @=\"new\" ; and why\n\
        \"Text\" = \"a\\\\b\\\"c;\"\n\
        \"Number\"=DWORD:10; sixteen\n\
        \"Lines\"=-\n\
        \"Not there\"=-\n\
        \"Bytes\"=hex:00,1,\\\n  fF\n\
        \"Nothing\"=hex:\n\
        \"Expand\"=hex(2):25,41,25,00\n\
        \"Quad\"=hex(b):\\\r\n  01,02\r\n\
        [-HKLM\\Software\\App\\Sub [1]] ; gone\n\
        [-HKLM\\Software\\Not there]\n\
        [HKLM\\Software\\New [key]]\n\x1A";
    registry.import(text).expect("import");
    let key = path(APP);
    let value = |name: &str| registry.get(&key, name).cloned();
    assert_eq!(value(""), Some(Value::sz("new")));
    assert_eq!(value("Text"), Some(Value::sz("a\\b\"c;")));
    assert_eq!(value("Number"), Some(Value::Dword(16)));
    assert_eq!(value("Lines"), None);
    assert_eq!(value("Bytes"), Some(Value::binary(&[0, 1, 255])));
    assert_eq!(value("Nothing"), Some(Value::binary(&[])));
    assert_eq!(value("Expand"), Some(Value::expand_sz("%A%")));
    assert_eq!(value("Quad"), Some(Value::from_raw(REG_QWORD, &[1, 2])));
    assert!(!registry.exists(&path(r"Software\App\Sub [1]")));
    assert!(registry.exists(&path(r"Software\New [key]")));
    let file = RegFile::parse(text).expect("a text");
    assert_eq!(file.dialect(), RegDialect::Regedit4);
    assert_eq!(file.keys().count(), 4);
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = r#"Windows Registry Editor Version 5.00

"early"=dword:1
[HKEY_USERS\App]
"unread"=dword:1
[\Software]
[HKEY_LOCAL_MACHINE\Software
[HKEY_LOCAL_MACHINE\\Software]
[HKEY_LOCAL_MACHINE\Software] more
[-HKEY_LOCAL_MACHINE]
[HKEY_LOCAL_MACHINE]
"in the root"=dword:1
[-HKEY_LOCAL_MACHINE\Gone]
"in a deleted key"=dword:1
[HKEY_LOCAL_MACHINE\Software]
value=1
"open
"a\b"=dword:1
"a":dword:1
"a"=dword:123456789
"a"=dword:
"a"=dword:xyz ; no
"a"=hex(zz):00,\
  00
"a"=hex:00,\
  01,0g,\
  02
"a"=hex:00\
  01
"a"=hex:00,\

"a"=hex:00,\
[HKEY_LOCAL_MACHINE\Software]
"a"=text
"a"="text" text
"a"=- -
"a"=hex 00
"a"=hex:00,,01
"a"=hex:00,
"a"="C:\\dir\"
"b"="\u00E4"
"good"=dword:1
"#;
    let expected = r#"
line 3: a value stands below no key; a line such as `[HKEY_LOCAL_MACHINE\Software]` is expected first
line 4: `HKEY_USERS\App` is below HKEY_USERS; only keys below HKEY_LOCAL_MACHINE can be named
line 6: `\Software` does not begin with HKEY_LOCAL_MACHINE
line 7: `]` is expected at the end of a key's line
line 8: `\Software` begins with a backslash; a path is relative to HKEY_LOCAL_MACHINE
line 9: the end of the line or `;` is expected after the data, not `more`
line 10: HKEY_LOCAL_MACHINE itself cannot be deleted
line 12: HKEY_LOCAL_MACHINE itself holds no values
line 14: a value stands below a key that is deleted
line 16: `[`, `@`, `"` or `;` is expected at the beginning of a line, not `v`
line 17: `"` is expected at the end of a text
line 18: `\\` or `\"` is expected in a text, not `\b`
line 19: `=` is expected after the name of a value
line 20: 1 to 8 hexadecimal digits are expected after `dword:`, not `123456789`
line 21: 1 to 8 hexadecimal digits are expected after `dword:`, not ``
line 22: 1 to 8 hexadecimal digits are expected after `dword:`, not `xyz`
line 23: the number of a kind in 1 to 8 hexadecimal digits is expected between the brackets, not `zz`
line 26: a byte in 1 or 2 hexadecimal digits is expected, not `0g`
line 28: `,` is expected before the `\` that goes on in the next line
line 30: another line of bytes is expected after `\`
line 32: another line of bytes is expected after `\`
line 34: a text in quotes, `dword:`, `hex:`, `hex(N):` or `-` is expected, not `text`
line 35: the end of the line or `;` is expected after the data, not `text`
line 36: the end of the line or `;` is expected after the data, not `-`
line 37: a text in quotes, `dword:`, `hex:`, `hex(N):` or `-` is expected, not `hex 00`
line 38: a byte in 1 or 2 hexadecimal digits is expected, not ``
line 39: a byte in 1 or 2 hexadecimal digits is expected, not ``
line 40: `"` is expected at the end of a text
line 41: `\\` or `\"` is expected in a text, not `\u`
"#;
    let found = messages(text);
    let expected: Vec<&str> = expected.lines().skip(1).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    // Nothing of it is done.
    let mut registry = sample();
    assert!(registry.import(text).is_err());
    assert_eq!(registry, sample());
}

#[test]
fn the_first_line_is_one_of_two() {
    let header = "the first line is `REGEDIT4` or `Windows Registry Editor Version 5.00`";
    assert_eq!(messages(""), [format!("line 1: {header}, not ``")]);
    assert_eq!(
        messages("regedit4\nx"),
        [
            format!("line 1: {header}, not `regedit4`"),
            "line 2: `[`, `@`, `\"` or `;` is expected at the beginning of a line, not `x`"
                .to_string(),
        ]
    );
    assert_eq!(messages("REGEDIT4"), [""; 0]);
}

#[test]
fn limits_are_mistakes_too() {
    let long = format!("REGEDIT4\n[HKLM\\{}]\n", "x".repeat(256));
    assert_eq!(messages(&long), ["line 2: a key's name has 256 characters; 255 are allowed"]);
    let long = format!("REGEDIT4\n[HKLM\\x]\n\"{}\"=-\n", "x".repeat(16_384));
    let message = "line 3: a value's name has 16384 characters; 16383 are allowed";
    assert_eq!(messages(&long), [message]);
    let long = format!("REGEDIT4\n[HKLM\\x]\n\"x\"=\"{}\"\n", "x".repeat(VALUE_DATA_MAX / 2));
    assert_eq!(messages(&long), ["line 3: a value has 1048578 bytes; 1048576 are allowed"]);
    let many = "REGEDIT4".to_string() + &"\nx".repeat(MISTAKES_MAX + 100);
    let found = messages(&many);
    assert_eq!(found.len(), MISTAKES_MAX + 1);
    let last = "line 1002: there are more than 1000 mistakes; the rest is not read";
    assert_eq!(found.last().map(String::as_str), Some(last));
    let many = "REGEDIT4".to_string() + &"\n".repeat(REG_LINES_MAX);
    assert_eq!(messages(&many), ["line 500001: the text has more than 500000 lines"]);
}

#[test]
fn an_import_is_told_to_watches() {
    let mut registry = sample();
    let id = registry.watch(&path(APP), true, WatchFilter::VALUE).expect("watch");
    registry.import("REGEDIT4\n[HKLM\\Software\\App]\n\"x\"=dword:1").expect("import");
    assert_eq!(registry.take_signals(), [id]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_taken_without_a_panic(
        text in "(\\[-?HKLM(\\\\[a-c]{0,2}){0,3}\\]?|@|\"[a\\\\\"]{0,3}\"?|=|-|dword:|hex(\\([0-9a-f]{0,3}\\))?:|[0-9a-f]{1,2}|,|\\\\|;|\n|[ -~ä]){0,40}",
        regedit4 in any::<bool>(),
    ) {
        let header = if regedit4 { RegDialect::Regedit4 } else { RegDialect::Version5 }.header();
        let text = format!("{header}\n[HKLM\\a]\n{text}");
        let mut registry = sample();
        match registry.import(&text) {
            Ok(()) => {
                let root = KeyPath::root();
                let text = registry.export(&root, RegDialect::Version5).expect("export");
                let mut again = Registry::new();
                again.import(&text).expect("what is written can be read");
                registry.set_security(&path(r"Software\App\Empty"), None).ok();
                prop_assert_eq!(registry.key(&root), again.key(&root));
            }
            Err(mistakes) => {
                prop_assert!(!mistakes.is_empty());
                prop_assert!(mistakes.is_sorted_by_key(|mistake| mistake.line));
                prop_assert_eq!(registry, sample());
            }
        }
    }

    #[test]
    fn any_file_has_a_text(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = RegFile::parse(&reg_file_text(&bytes));
        let utf16 = [&[0xFF, 0xFE], &bytes[..]].concat();
        let _ = RegFile::parse(&reg_file_text(&utf16));
    }
}
