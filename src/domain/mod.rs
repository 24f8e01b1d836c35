//! What stint knows, and how it decides.
//!
//! Everything here is pure: no input or output, no clock, no vendor format. The time is an argument, and what the
//! neighbours said arrives as the types of [`ticket`] and [`assignment`].

pub mod approval;
pub mod approvers;
pub mod assignment;
pub mod attempt;
pub mod audit;
pub mod duration;
pub mod entitlement;
pub mod id;
pub mod in_force;
pub mod lifecycle;
pub mod note;
pub mod overlap;
pub mod pim_policy;
pub mod policy;
pub mod proof;
pub mod request;
pub mod sight;
pub mod sweep;
pub mod target;
pub mod ticket;
pub mod withdrawal;
pub mod zone;
