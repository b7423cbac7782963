/** The page at /docs: the OpenAPI document, to read and to try with the session of this browser. */

const SwaggerUIBundle = Reflect.get(globalThis, "SwaggerUIBundle");

SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  requestInterceptor: (/** @type {{headers: Record<string, string>}} */ request) => {
    request.headers["X-OTT-Web"] = "1";
    return request;
  },
});
