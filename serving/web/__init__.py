"""The pages people look at: HTML, SVG and one style sheet, made on the server. Nothing is fetched from elsewhere."""
