"""The pages for people: HTML, SVG and one style sheet, made on the server. Nothing is fetched from elsewhere."""
