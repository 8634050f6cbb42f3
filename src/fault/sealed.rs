//! Text of a way back. On disk a secret is only named; whoever reads it takes the value from the environment again, as the
//! profile did.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::driver::FaultError;
use crate::profile::secret::{Text, placeholder};
use crate::profile::secret_of_environment;

/// A text whose secrets are only named where it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sealed {
    /// Absent when it was read from the disk and holds a secret.
    text: Option<Text>,
    shown: String,
}

/// As it stands on the disk.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Plain(String),
    Secret { secret: String },
}

impl From<&Text> for Sealed {
    fn from(text: &Text) -> Self {
        Self {
            text: Some(text.clone()),
            shown: text.shown().to_owned(),
        }
    }
}

impl Sealed {
    /// Text without a secret.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::from(&Text::plain(text))
    }

    /// The form that may be shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The text with its secrets.
    ///
    /// # Errors
    /// When it was read from the disk, and the environment does not have one of them.
    pub fn open(&self) -> Result<Text, FaultError> {
        match &self.text {
            Some(text) => Ok(text.clone()),
            None => fill(&self.shown),
        }
    }
}

/// The text with a value in the place of each placeholder.
fn fill(shown: &str) -> Result<Text, FaultError> {
    let (before, after) = {
        let whole = placeholder("\0");
        let (before, after) = whole.split_once('\0').unwrap_or_default();
        (before.to_owned(), after.to_owned())
    };
    let mut real = String::new();
    let mut rest = shown;
    while let Some((head, tail)) = rest.split_once(&before) {
        real.push_str(head);
        let Some((name, tail)) = tail.split_once(&after) else {
            real.push_str(&before);
            rest = tail;
            continue;
        };
        let value = secret_of_environment(name)
            .map_err(|why| FaultError(format!("the way back needs the secret `{name}`: {why}")))?;
        real.push_str(&value);
        rest = tail;
    }
    real.push_str(rest);
    Ok(Text::with_secret(real, shown))
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = self.shown.clone();
        let secret = self.text.as_ref().is_none_or(Text::is_secret);
        if secret {
            Written::Secret { secret: shown }.serialize(serializer)
        } else {
            Written::Plain(shown).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Plain(text) => Self::plain(text),
            Written::Secret { secret } => Self {
                text: None,
                shown: secret,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_on_the_disk_and_asked_for_again() {
        let text = Text::with_secret("Bearer hunter2", "Bearer ‹secret:NOBODY_SET_THIS›");
        let sealed = Sealed::from(&text);
        assert_eq!(sealed.open().unwrap().reveal(), "Bearer hunter2");
        let written = serde_json::to_string(&sealed).unwrap();
        assert_eq!(written, r#"{"secret":"Bearer ‹secret:NOBODY_SET_THIS›"}"#);
        let read: Sealed = serde_json::from_str(&written).unwrap();
        let why = read.open().unwrap_err().to_string();
        assert!(why.contains("needs the secret `NOBODY_SET_THIS`"), "{why}");
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }

    #[test]
    fn what_an_environment_holds_is_filled_in() {
        // A variable that every process of a test has.
        let path = std::env::var("PATH").unwrap();
        let read: Sealed =
            serde_json::from_str(r#"{"secret":"a ‹secret:PATH› b ‹secret: c"}"#).unwrap();
        let text = read.open().unwrap();
        assert_eq!(text.reveal(), format!("a {path} b ‹secret: c"));
        assert!(!format!("{text:?}").contains(&path));
    }

    #[test]
    fn plain_text_is_plain_on_the_disk() {
        let written = serde_json::to_string(&Sealed::plain("kubectl")).unwrap();
        assert_eq!(written, r#""kubectl""#);
        let read: Sealed = serde_json::from_str(&written).unwrap();
        assert_eq!(read.open().unwrap().reveal(), "kubectl");
    }
}
