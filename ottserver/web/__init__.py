"""HTTP below the rooms: routes as data, request models, guards, problem details, static pages."""
