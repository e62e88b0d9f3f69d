use super::*;
pub fn router(_catalog: Catalog, _cards: Vec<Arc<dyn EntityCard>>, _columns: Vec<Arc<dyn ListColumn>>) -> axum::Router {
    todo!()
}
