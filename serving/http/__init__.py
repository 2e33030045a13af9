"""HTTP: routes with their schemas and endpoints, who may call them, problems, and the OpenAPI document."""
