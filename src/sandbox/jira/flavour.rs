//! Cloud or Data Center: one product, two dialects (`contracts/tickets.md A6`).

use serde_json::Value;

/// Which product this site runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Accounts by id, documents as comments, `/rest/api/3`.
    #[default]
    Cloud,
    /// Users by name and key, wiki text as comments, `/rest/api/2`, personal access tokens as bearer and no basic login.
    DataCenter,
}

/// In which words JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// What Cloud answers.
    CloudRest,
    /// What Cloud delivers.
    CloudHook,
    /// What Data Center answers and delivers.
    DataCenter,
}

impl Flavour {
    pub(super) fn rest(self) -> Dialect {
        match self {
            Self::Cloud => Dialect::CloudRest,
            Self::DataCenter => Dialect::DataCenter,
        }
    }

    pub(super) fn hook(self) -> Dialect {
        match self {
            Self::Cloud => Dialect::CloudHook,
            Self::DataCenter => Dialect::DataCenter,
        }
    }
}

impl Dialect {
    /// The version of the API in links.
    pub(super) fn version(self) -> u8 {
        match self {
            Self::CloudRest => 3,
            Self::CloudHook | Self::DataCenter => 2,
        }
    }

    pub(super) fn is_cloud(self) -> bool {
        self != Self::DataCenter
    }

    /// The changelog's items; Data Center does not tell a field's id.
    pub(super) fn items(self, items: &[Value]) -> Vec<Value> {
        let mut items = items.to_vec();
        if !self.is_cloud() {
            items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| {
                item.remove("fieldId");
            });
        }
        items
    }
}
