"""What readers ask, and the page that answers: it stands among the first three results."""

from urllib.parse import quote

import pytest

ANSWERS = {
    "what is multimodal learning": ["what-is-multimodal-learning"],
    "what if one modality is missing": ["missing-modalities"],
    "how do I combine text and a table": ["choosing-a-fusion", "late-fusion", "early-fusion"],
    "does fusion help": ["when-does-fusion-help"],
    "tensor fusion": ["multiplicative-fusion"],
    "early or late fusion": ["early-fusion", "late-fusion", "choosing-a-fusion"],
    "cross-attention": ["cross-attention"],
    "perceiver latents": ["bottlenecks-and-latents"],
    "canonical correlation analysis": ["joint-and-complementary"],
    "log-mel spectrogram": ["modalities-as-tensors", "speech-recognition"],
    "image captioning": ["image-captioning"],
    "beam search": ["image-captioning", "speech-recognition"],
    "hallucination": ["image-captioning"],
    "visual question answering": ["visual-question-answering"],
    "language prior": ["visual-question-answering", "image-captioning"],
    "CTC loss": ["speech-recognition"],
    "WER": ["whisper", "glossary"],
    "word error rate": ["whisper", "glossary"],
    "translation of speech": ["whisper"],
    "contrastive loss temperature": ["clip-from-scratch"],
    "zero-shot classification": ["clip-from-scratch"],
    "modality dropout": ["missing-modalities"],
    "product of experts": ["late-fusion", "missing-modalities", "visual-question-answering"],
    "data leakage": ["honest-evaluation"],
    "how many seeds": ["honest-evaluation"],
    "confidence interval": ["honest-evaluation"],
    "run in Colab": ["how-to-run"],
    "licence of the data": ["datasets"],
}


@pytest.mark.parametrize("query", ANSWERS)
def test_the_right_page_is_among_the_first_three(query, address, visit):
    page, _ = visit(address, f"search.html?q={quote(query)}")
    page.locator("#search-results li a").first.wait_for()
    page.wait_for_function("() => /found \\d+/.test(document.querySelector('#search-results').innerText)")
    links = page.locator("#search-results ul.search > li > a").evaluate_all("all => all.map(a => a.pathname)")
    first = [link.rpartition("/")[2].removesuffix(".html") for link in links[:3]]
    assert set(first) & set(ANSWERS[query]), f"{query!r} finds {first}"
