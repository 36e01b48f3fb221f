"""Makes documents of nine kinds, each with a text of its own, and knows what to expect of them.

Nothing here needs an office: the ODF and OOXML files are the smallest that one opens. The target
is a text format where the kind has one, so that the very words can be looked for in the result,
or PDF, of which only the frame is checked.
"""

import zipfile

OFFICE = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
TEXT = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
TABLE = 'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
DRAW = (
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"'
)
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
ODF = "application/vnd.oasis.opendocument."
SCHEMAS = "http://schemas.openxmlformats.org/"
RELATIONS = SCHEMAS + "officeDocument/2006/relationships"

# Kind: (filter that writes text, extension of the result, filter that writes PDF).
TARGETS = {
    "odt": ("Text", "txt", "writer_pdf_Export"),
    "docx": ("Text", "txt", "writer_pdf_Export"),
    "rtf": ("Text", "txt", "writer_pdf_Export"),
    "txt": ("OpenDocument Text Flat XML", "fodt", "writer_pdf_Export"),
    "html": ("HTML", "html", "writer_web_pdf_Export"),
    "ods": ("Text - txt - csv (StarCalc)", "csv", "calc_pdf_Export"),
    "xlsx": ("Text - txt - csv (StarCalc)", "csv", "calc_pdf_Export"),
    "csv": ("OpenDocument Spreadsheet Flat XML", "fods", "calc_pdf_Export"),
    "odp": ("OpenDocument Presentation Flat XML", "fodp", "impress_pdf_Export"),
}
KINDS = sorted(TARGETS)


def make(kind, path, words, size=1):
    """A document of `size` lines; the first is `words`: plain letters, digits and blanks."""
    filler = [f"line {number} of a document that takes a moment" for number in range(2, size + 1)]
    lines = [words, *filler]
    {
        "odt": _odt, "ods": _ods, "odp": _odp, "docx": _docx, "xlsx": _xlsx,
        "txt": _txt, "csv": _csv, "html": _html, "rtf": _rtf,
    }[kind](path, lines)  # fmt: skip


def is_right(path, words):
    """Whether the file at path is what a document that says `words` should have become."""
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".pdf"):
        return content.startswith(b"%PDF") and b"%%EOF" in content[-32:] and len(content) > 1000
    return words.encode() in content


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _odf(path, kind, body, namespaces):
    media = ODF + kind
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("mimetype", media, zipfile.ZIP_STORED)
        file.writestr(
            "META-INF/manifest.xml",
            HEAD + '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:'
            'manifest:1.0"><manifest:file-entry manifest:full-path="/" '
            f'manifest:media-type="{media}"/>'
            '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
            "</manifest:manifest>",
        )
        file.writestr(
            "content.xml",
            HEAD + f'<office:document-content {OFFICE} {namespaces} office:version="1.2">'
            f"<office:body>{body}</office:body></office:document-content>",
        )


def _odt(path, lines):
    body = "".join(f"<text:p>{line}</text:p>" for line in lines)
    _odf(path, "text", f"<office:text>{body}</office:text>", TEXT)


def _ods(path, lines):
    rows = "".join(
        '<table:table-row><table:table-cell office:value-type="string">'
        f"<text:p>{line}</text:p></table:table-cell></table:table-row>"
        for line in lines
    )
    body = f'<table:table table:name="One">{rows}</table:table>'
    _odf(path, "spreadsheet", f"<office:spreadsheet>{body}</office:spreadsheet>", f"{TABLE} {TEXT}")


def _odp(path, lines):
    body = "".join(
        f'<draw:page draw:name="Page {number}"><draw:frame svg:width="20cm" svg:height="3cm" '
        f'svg:x="2cm" svg:y="2cm"><draw:text-box><text:p>{line}</text:p></draw:text-box>'
        "</draw:frame></draw:page>"
        for number, line in enumerate(lines[:50], 1)
    )
    _odf(
        path, "presentation", f"<office:presentation>{body}</office:presentation>", f"{DRAW} {TEXT}"
    )


def _ooxml(path, main, media, parts):
    """An OOXML package whose main part is `main`; parts maps name to (media type, text)."""
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{kind}"/>'
        for name, (kind, _) in parts.items()
        if kind
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "[Content_Types].xml",
            HEAD + f'<Types xmlns="{SCHEMAS}package/2006/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f"{overrides}</Types>",
        )
        file.writestr("_rels/.rels", HEAD + _relations("officeDocument", main))
        for name, (_, text) in parts.items():
            file.writestr(name, HEAD + text)


def _relations(kind, target):
    return (
        f'<Relationships xmlns="{SCHEMAS}package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{RELATIONS}/{kind}" Target="{target}"/></Relationships>'
    )


def _docx(path, lines):
    media = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    body = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in lines)
    space = f'xmlns:w="{SCHEMAS}wordprocessingml/2006/main"'
    text = f"<w:document {space}><w:body>{body}</w:body></w:document>"
    _ooxml(path, "word/document.xml", media, {"word/document.xml": (media, text)})


def _xlsx(path, lines):
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    space = f'xmlns="{SCHEMAS}spreadsheetml/2006/main"'
    book = (
        f'<workbook {space} xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>{line}</t></is></c></row>'
        for number, line in enumerate(lines, 1)
    )
    sheet = f"<worksheet {space}><sheetData>{rows}</sheetData></worksheet>"
    parts = {
        "xl/workbook.xml": (media + "sheet.main+xml", book),
        "xl/worksheets/sheet1.xml": (media + "worksheet+xml", sheet),
    }
    parts["xl/_rels/workbook.xml.rels"] = ("", _relations("worksheet", "worksheets/sheet1.xml"))
    _ooxml(path, "xl/workbook.xml", media, parts)


def _txt(path, lines):
    _write(path, "\n".join(lines) + "\n")


def _csv(path, lines):
    _write(path, "".join(f"{number},{line}\n" for number, line in enumerate(lines, 1)))


def _html(path, lines):
    body = "".join(f"<p>{line}</p>\n" for line in lines)
    _write(path, f"<!DOCTYPE html>\n<html><body>{body}</body></html>\n")


def _rtf(path, lines):
    body = "".join(line + "\\par\n" for line in lines)
    _write(path, f"{{\\rtf1\\ansi {body}}}\n")
