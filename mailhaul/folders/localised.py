"""What mail programs call Trash, Junk, Sent, Drafts and Archive, in some sixty languages; no name has two roles.

They are looked for only where such a folder belongs, and only as whole names, folded as `roles.fold` does it.
"""

from mailhaul.folders.roles import Role, fold


def _names(text: str) -> frozenset[str]:
    return frozenset(fold(name) for name in text.split("|"))


TRASH = _names("""
trash | deleted | deleted items | deleted messages | bin | rubbish | papierkorb |
gelöschte objekte | gelöschte elemente | gelöscht | gelöschte nachrichten | corbeille |
éléments supprimés | messages supprimés | cestino | posta eliminata | elementi eliminati |
eliminati | eliminata | papelera | elementos eliminados | elementos borrados | eliminados |
lixeira | itens eliminados | itens excluídos | itens apagados | prullenmand |
verwijderde items | kosz | elementy usunięte | usunięte wiadomości | odstraněná pošta |
odstraněné položky | vymazané správy | törölt elemek | törölt | articole șterse |
elemente șterse | borttagna objekt | papperskorg | slettet post | slettede elementer |
slettede beskeder | papirkurv | poistetut | roskakori | praht | prügikast | silinmiş öğeler |
удаленные | удалённые | корзина | видалені | сміття |
жойылғандар | פריטים שנמחקו | العناصر المحذوفة | موارد حذف شده | รายการที่ลบ |
mục đã xóa | pesan terhapus | item dipadam | 已删除邮件 | 已删除 | 已刪除項目 |
削除済みアイテム | ごみ箱 | 지운 편지함 | 휴지통
""")

JUNK = _names("""
junk | spam | junk e-mail | junk email | bulk | bulk mail | junk-e-mail | unerwünscht |
werbung | unerwünschte werbung | spamverdacht | courrier indésirable | indésirables |
pourriel | quarantaine | posta indesiderata | indesiderata | correo no deseado | no deseado |
lixo eletrônico | ongewenste e-mail | ongewenst | wiadomości-śmieci | potwierdzony spam |
spamowanie | niechciane | nevyžádaná pošta | nevyžiadaná pošta | levélszemét |
e-mail nedorit | skräppost | uønsket mail | søppelpost | roskaposti | gereksiz e-posta |
istenmeyen | istenmeyen e-posta | спам | нежелательная почта | דואר זבל |
الرسائل العشوائية | البريد الإلكتروني غير الهام | هرزنامه | สแปม | thư rác | 垃圾邮件 |
垃圾郵件 | 垃圾電郵 | 迷惑メール | 정크 메일 | 스팸
""")

SENT = _names("""
sent | sent items | sent messages | sent mail | sent-mail | sentmail | sentbox | gesendet |
gesendete | gesendete elemente | gesendete objekte | gesendete e-mails | envoyés | envoyé |
éléments envoyés | objets envoyés | messages envoyés | posta inviata | inviata | inviati |
elementi inviati | enviados | enviadas | elementos enviados | mensajes enviados |
itens enviados | e-mails enviados | verzonden | verzonden items | wysłane |
elementy wysłane | odeslaná pošta | odeslané | poslané | elküldött elemek | elküldött |
elküldöttek | elemente trimise | expediate | skickat | sänt | sända poster | sendt post |
sendt | sendte elementer | lähetetyt | saadetud | saadetud kirjad | nosūtītās ziņas |
išsiųstieji | gönderilmiş öğeler | göndərilənlər | σταλθέντα |
отправленные | надіслані | пасланыя | изпратени |
испратено | poslano | poslato | poslane | жіберілгендер |
жиберилген | юборилган | ирсол шуд | илгээсэн | enviats |
bidaliak | bidalita | נשלחו | פריטים שנשלחו | المرسلة | العناصر المرسلة | موارد ارسال شده |
بھیجے گئے | لېګل شوی | भेजा गया | प्रेषित | पाठविले | पाठविलेले | প্রেরিত | প্ৰেৰিত | ਭੇਜੇ |
મોકલેલા | ପଠାଗଲା | அனுப்பியவை | పంపించబడింది | ಕಳುಹಿಸಲಾದ | അയച്ചു | ส่งแล้ว | បានផ្ញើ |
යැවු පණිවුඩ | đã gửi | terkirim | dihantar | naipadala | napadala | padala | 已发送邮件 |
已发送 | 已发信息 | 寄件備份 | 送信済みアイテム | 送信済みﾒｰﾙ | 送信済み | 보낸 편지함 |
발신 메시지 | 발송됨 | të dërguara | ուղարկված | გაგზავნილი | የተላኩ | gestuur | kuthunyelwe |
ethunyelweyo | vilivyotumwa | aika | e rometsweng | e tindami | سوزمژہ | ti fi ranṣẹ |
ezipuru | lasa | nalefa | iberilen
""")

DRAFTS = _names("""
draft | drafts | draftbox | entwürfe | entwurf | brouillons | brouillon | bozze | bozza |
borradores | borrador | rascunhos | concepten | szkice | wersje robocze | kopie robocze |
robocze | koncepty | piszkozatok | vázlatok | ciorne | utkast | kladder | kladd | luonnokset |
mustandid | melnraksti | juodraščiai | taslaklar | layihələr | πρόχειρα |
черновики | чернетки | чарнавікі | чернови | нацрти |
nacrti | skice | osnutki | жобалар | сиёҳнавис | хомаки хатлар |
нооргууд | черновиктер | esborranys | zirriborroak | טיוטות | مسودات |
المسودات | پیش نویسها | ڈرافٹ | موسودې | ड्राफ़्ट | प्रारूप | খসড়া | ড্ৰাফ্ট | ਡ੍ਰਾਫਟ |
ડ્રાફ્ટસ | ଡ୍ରାଫ୍ଟ | வரைவுகள் | చిత్తు ప్రతులు | ಕರಡುಗಳು | കരടുകള് | ฉบับร่าง | សារព្រាង |
කෙටුම් පත් | bản thảo | konsep | draf | mga draft | 草稿 | 下書き | 임시 보관함 | 임시보관함 |
mesazhe të padërguara | սեւագրեր | მონახაზები | ረቂቆች | ba brouillon | konsepte | izinhlaka |
iidrafti | rasimu | meralo | àwọn àkọpamọ́ | ihe edeturu | tsararrun saƙonni | vakiraoka |
garalamalar | drög
""")

ARCHIVE = _names("""
archive | archives | archiv | messages archivés | archivio | archivo | arquivo | archief |
archiwum | arkiv | arkisto | архив
""")

NAMES: dict[Role, frozenset[str]] = {
    Role.TRASH: TRASH,
    Role.JUNK: JUNK,
    Role.SENT: SENT,
    Role.DRAFTS: DRAFTS,
    Role.ARCHIVE: ARCHIVE,
}

# Names that people also give to folders of their own: they count only on a server that marks no folder with the role.
OFTEN_OWN = _names("bin | bulk | rubbish | werbung | quarantaine | no deseado | aika | lasa | konsep | skice")
