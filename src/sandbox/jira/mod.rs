//! stub
use super::{Now, server::Answer};
/// stub
#[derive(Clone)]
pub struct Jira;
impl Jira {
    pub(super) fn new(_: String, _: Now) -> std::io::Result<Self> { Ok(Self) }
    pub(super) fn handle(&self, _: &http::Request<bytes::Bytes>) -> Answer { Answer::HangUp }
}
