"""Captions of the pictures."""

import unicodedata
from collections import Counter

from pictures import BACKGROUNDS, STYLES

# A keyword may stand alone if no more concepts than these share it.
SHARED = 2

TEMPLATES = [
    "{subject}",
    "{style} {subject}",
    "{subject}, {style}",
    "{subject}, {style}",
    "{subject}, {style} style",
    "{style} style {subject}",
    "{subject} in {style} style",
    "{style} emoji of {subject}",
    "{subject}, {style} emoji",
    "emoji of {subject}, {style}",
    "{subject} icon in {style} style",
    "{subject} in the style of {style}",
]
BACKGROUND_TEMPLATES = ["{caption} on a {colour} background", "{caption}, {colour} background"]

EMPTY_SHARE = 0.1
WHITE_NAMED_SHARE = 0.1


def plain(text):
    """A text in ASCII, without parentheses, which mean something in prompts."""
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode()
    return text.replace("(", "").replace(")", "").lower()


def with_article(label):
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def test_caption(concept, style):
    """What the retrieval test asks for."""
    return f"{with_article(plain(concept['label']))}, {style}"


class Captions:
    def __init__(self, concepts):
        self.labels = [plain(concept["label"]) for concept in concepts]
        tags = [[plain(tag) for tag in concept["tags"]] for concept in concepts]
        count = Counter(tag for row in tags for tag in set(row))
        taken = set(self.labels)
        self.tags = tags
        self.rare = [[tag for tag in row if count[tag] <= SHARED and tag not in taken] for row in tags]

    def words(self):
        """A text with every word that a caption can have."""
        everything = [*TEMPLATES, *BACKGROUND_TEMPLATES, *BACKGROUNDS, *STYLES, *self.labels, "a an"]
        return " ".join(everything + [tag for row in self.tags for tag in row])

    def subject(self, concept, random):
        label, kind = self.labels[concept], random.random()
        if kind < 0.12 and self.rare[concept]:
            label = random.choice(self.rare[concept])
        elif kind < 0.24 and self.tags[concept]:
            return f"{label}, {random.choice(self.tags[concept])}"
        return with_article(label) if random.random() < 0.6 else label

    def caption(self, concept, style, background, random):
        """A caption of a concept; `background` is a colour's name."""
        if random.random() < EMPTY_SHARE:
            return ""
        caption = random.choice(TEMPLATES).format(subject=self.subject(concept, random), style=style)
        if background == "white" and random.random() > WHITE_NAMED_SHARE:
            return caption
        return random.choice(BACKGROUND_TEMPLATES).format(caption=caption, colour=background)
