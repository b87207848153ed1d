//! Whether the caller may look at what KFP's dashboard shows of a namespace. It asks before it shows logs and artifacts.

use crate::error::ApiError;
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::{Query, Reply};

pub(super) fn routes(routes: Routes) -> Routes {
    let describe = |name| {
        Description::new(name, "Whether the caller may do something with what is shown of a namespace")
            .required("namespace", Kind::Text, "The namespace.")
            .required("resources", Kind::Words(&["VIEWERS"]), "What of it.")
            .required("verb", Kind::Words(&["GET", "CREATE", "DELETE"]), "What the caller would do.")
    };
    routes
        .get("/apis/v1beta1/auth", Requires::Caller, authorize)
        .describe(describe("old_authorize"))
        // Where `kfp.Client` asks; its dashboard has stayed with the other.
        .get("/apis/v2beta1/auth", Requires::Caller, authorize)
        .describe(describe("authorize"))
}

/// `GET /auth?namespace=&resources=&verb=`
async fn authorize(access: Access, query: Query) -> Result<Reply, ApiError> {
    let authorize = async {
        let namespace = query.text("namespace")?;
        if namespace.is_empty() {
            return Err(ApiError::invalid("Namespace is empty. Please specify a valid namespace"));
        }
        let resource = match query.text("resources")? {
            "VIEWERS" | "1" => Resource::Viewers,
            "" | "UNASSIGNED_RESOURCES" | "0" => {
                return Err(ApiError::invalid("Resources not specified. Please specify a valid resources"));
            }
            other => return Err(unknown("resources", other)),
        };
        let verb = match query.text("verb")? {
            "CREATE" | "1" => Verb::Create,
            "GET" | "2" => Verb::Get,
            "DELETE" | "3" => Verb::Delete,
            "" | "UNASSIGNED_VERB" | "0" => {
                return Err(ApiError::invalid("Verb not specified. Please specify a valid verb"));
            }
            other => return Err(unknown("verb", other)),
        };
        access.needing(resource, verb).namespace(namespace, "").await?;
        Ok(Reply::new())
    };
    authorize.await.map_err(|error| error.within("Failed to authorize the request"))
}

fn unknown(field: &str, value: &str) -> ApiError {
    ApiError::malformed(format!("parsing field {field:?}: {value:?} is not valid"))
}
