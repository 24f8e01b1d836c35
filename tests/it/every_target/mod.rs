//! What holds for every kind of target, told once and played on each.
//!
//! A story takes the [`Target`](crate::targets::Target) that it is played on. Roles at a smaller scope differ from those of
//! the whole tenant by a value of one field, so only the core of it is played on them.

/// Each story is a test in a module named for its target.
macro_rules! play {
    ([$($module:ident = $target:ident,)*] $stories:tt) => {
        $( play!(@ $module, $target, $stories); )*
    };
    (@ $module:ident, $target:ident, { $($story:ident,)* }) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $story() {
                    super::$story(crate::targets::$target).await;
                }
            )*
        }
    };
}

/// Plays stories on each kind of target.
macro_rules! on_each {
    ($($story:ident,)*) => {
        play!([
            directory_role = ROLE,
            eligible_directory_role = ELIGIBLE_ROLE,
            group_member = MEMBER,
            group_owner = OWNER,
            eligible_group_member = ELIGIBLE_MEMBER,
        ] { $($story,)* });
    };
}

/// Plays stories on each kind of target, and on roles at smaller scopes.
macro_rules! on_each_scope {
    ($($story:ident,)*) => {
        on_each!($($story,)*);
        play!([directory_role_in_a_unit = ROLE_IN_UNIT, directory_role_at_an_object = ROLE_AT_OBJECT,] { $($story,)* });
    };
}

/// Plays stories on each place in a group.
macro_rules! on_groups {
    ($($story:ident,)*) => {
        play!([member = MEMBER, owner = OWNER, eligible_member = ELIGIBLE_MEMBER,] { $($story,)* });
    };
}

mod given;
mod groups;
mod lost;
mod permitted;
mod refused;
mod shared;
