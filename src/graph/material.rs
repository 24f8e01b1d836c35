//! Texts that prove something, and the files from which they are read again.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

/// No credential is longer, in bytes; a longer file is somebody's mistake.
const LONGEST: u64 = 256 * 1024;

/// A secret, a certificate or a key. What a file gave is read from there again, what the environment gave stays.
#[derive(Clone, Debug)]
pub struct Material {
    text: SecretString,
    file: Option<PathBuf>,
}

impl Material {
    /// A text that lies in no file.
    #[must_use]
    pub fn fixed(text: impl Into<SecretString>) -> Self {
        Self { text: text.into(), file: None }
    }

    /// The text that this file holds now.
    #[must_use]
    pub fn of_file(text: impl Into<SecretString>, file: PathBuf) -> Self {
        Self { text: text.into(), file: Some(file) }
    }

    /// The text, without the newline at its file's end.
    #[must_use]
    pub fn text(&self) -> &SecretString {
        &self.text
    }

    /// As its file has it now.
    pub(super) async fn again(&self) -> io::Result<Self> {
        match &self.file {
            Some(file) => Ok(Self::of_file(read(file).await?, file.clone())),
            None => Ok(self.clone()),
        }
    }

    /// Whether both say the same.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.text.expose_secret() == other.text.expose_secret()
    }
}

/// The text in a file, which must hold some.
pub(super) async fn read(file: &Path) -> io::Result<SecretString> {
    let file = file.to_owned();
    // On a thread of its own: a file may lie on a disk that does not answer.
    let text = tokio::task::spawn_blocking(move || read_blocking(&file)).await.map_err(io::Error::other)??;
    match without_newline(&text) {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
        text => Ok(text.into()),
    }
}

fn read_blocking(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(file)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if length as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long to be a credential"));
    }
    Ok(text)
}

/// A file's text without the one newline at its end, which is not part of what it holds.
#[must_use]
pub fn without_newline(text: &str) -> &str {
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    line.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_of(content: &[u8]) -> io::Result<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, content).expect("written");
        read(&file).await.map(|text| text.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn one_newline_at_the_end_is_not_part_of_a_text() {
        for (content, text) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
            assert_eq!(read_of(content.as_bytes()).await.expect(content), text);
        }
    }

    #[tokio::test]
    async fn an_empty_an_endless_and_a_binary_file_hold_no_text() {
        for content in [&b""[..], b"\n", &[0xff, 0xfe], &vec![b'a'; 256 * 1024 + 1]] {
            assert!(read_of(content).await.is_err());
        }
        assert!(read(Path::new("/nowhere/secret")).await.is_err());
    }

    #[tokio::test]
    async fn what_no_file_gave_stays_as_it_is() {
        let material = Material::fixed("a-secret");
        assert!(material.again().await.expect("itself").equals(&material));
        assert!(!format!("{material:?}").contains("a-secret"));
    }
}
